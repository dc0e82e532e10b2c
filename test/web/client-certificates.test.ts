import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ClientCertificate,
  type ClientPolicy,
  refusal,
  subjectAltNames,
} from '../../src/web/client-certificates.ts';
import { newAuthority } from '../certificates.ts';

const TRUSTED: ClientCertificate = {
  subjectAltName: 'DNS:a.example, IP Address:2001:DB8:0:0:0:0:0:1',
  problem: undefined,
};
const UNTRUSTED: ClientCertificate = { ...TRUSTED, problem: 'CERT_HAS_EXPIRED' };

describe('a client', () => {
  test.each([
    ['NoClientCert', true, true, true],
    ['RequestClientCert', true, true, true],
    ['RequireAnyClientCert', false, true, true],
    ['VerifyClientCertIfGiven', true, false, true],
    ['RequireAndVerifyClientCert', false, false, true],
  ] as const)(
    'under %s may go on without certificate: %s, untrusted: %s, trusted: %s',
    (clientAuth, none, untrusted, trusted) => {
      const mayGoOn = (certificate: ClientCertificate | undefined) =>
        refusal({ clientAuth, clientAllowedSans: undefined }, certificate) === undefined;
      expect([mayGoOn(undefined), mayGoOn(UNTRUSTED), mayGoOn(TRUSTED)]).toEqual([none, untrusted, trusted]);
    },
  );

  test.each([
    [['a.example'], true],
    [['b.example', 'a.example'], true],
    [['2001:db8::1'], true],
    [['2001:db8::2'], false],
    [['A.example'], false],
    [['example'], false],
    [[], false],
  ])('with client_allowed_sans %j may go on: %s', (clientAllowedSans, may) => {
    const policy: ClientPolicy = { clientAuth: 'RequireAnyClientCert', clientAllowedSans };
    expect(refusal(policy, TRUSTED) === undefined).toBe(may);
  });

  test.each([
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['192.0.2.1', '192.0.2.01', false],
    ['192.0.2.1', '::ffff:192.0.2.1', true],
    ['192.0.2.1', '::FFFF:c000:0201', true],
    ['192.0.2.1', '::192.0.2.1', false],
    ['192.0.2.1', '192.0.2.1%eth0', false],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1', true],
    ['FE80:0:0:0:0:0:0:1', 'fe80::1%eth0', true],
    ['0:0:0:0:0:0:0:0', '::', true],
  ])('whose certificate is for %s may go on where %s is allowed: %s', (address, allowed, may) => {
    const policy: ClientPolicy = { clientAuth: 'RequireAnyClientCert', clientAllowedSans: [allowed] };
    const certificate = { subjectAltName: `IP Address:${address}`, problem: undefined };
    expect(refusal(policy, certificate) === undefined).toBe(may);
  });

  test('with an allowed name is refused nevertheless where its certificate is not to be trusted', () => {
    const policy: ClientPolicy = {
      clientAuth: 'RequireAndVerifyClientCert',
      clientAllowedSans: ['a.example'],
    };
    expect(refusal(policy, UNTRUSTED)).toContain('CERT_HAS_EXPIRED');
  });

  test('without any name is refused where one is asked for', () => {
    const policy: ClientPolicy = { clientAuth: 'RequireAnyClientCert', clientAllowedSans: ['', 'undefined'] };
    expect(refusal(policy, { subjectAltName: undefined, problem: undefined })).toContain(
      'client_allowed_sans',
    );
  });
});

describe('the names of a certificate', () => {
  test('are those of the four kinds that Go knows, unquoted', async () => {
    const authority = await newAuthority();
    const { cert } = await authority.issue({
      sans: [
        { type: 'dns', value: 'a.example' },
        { type: 'dns', value: 'evil, DNS:good.example' },
        { type: 'email', value: 'a@example' },
        { type: 'ip', value: '192.0.2.1' },
        { type: 'url', value: 'spiffe://a/b,c"d\\' },
        { type: 'dn', value: 'CN=x' },
        { type: 'id', value: '1.2.3' },
      ],
    });
    expect(subjectAltNames(new X509Certificate(cert).subjectAltName ?? '')).toEqual([
      'a.example',
      'evil, DNS:good.example',
      'a@example',
      '192.0.2.1',
      'spiffe://a/b,c"d\\',
    ]);
  });

  test('come out of a real certificate as they went in, whatever they are', async () => {
    const authority = await newAuthority();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ minLength: 1, unit: 'grapheme-ascii' }), { minLength: 1 }),
        async (names) => {
          const sans = names.map((value) => ({ type: 'dns', value }) as const);
          const { cert } = await authority.issue({ sans });
          expect(subjectAltNames(new X509Certificate(cert).subjectAltName ?? '')).toEqual(names);
        },
      ),
      { numRuns: 20 },
    );
  });

  test.each(['', 'DNS:a"b', 'DNS:"a', 'DNS:"a\\x"', 'DNS:a, b', 'DNS:a,DNS:b', 'x', 'DNS:a, DNS:"b"c'])(
    'are none at all where %j is not understood',
    (text) => {
      expect(subjectAltNames(text)).toEqual([]);
    },
  );
});
