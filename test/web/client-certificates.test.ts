import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { refusal, subjectAltNames } from '../../src/web/client-certificates.ts';
import { newAuthority } from '../certificates.ts';

/** @returns whether a certificate with these names, in the format of Node.js, is accepted if `allowed` are */
function isAllowed(allowed: readonly string[], subjectAltName: string | undefined): boolean {
  const policy = { clientAuth: 'RequireAnyClientCert', clientAllowedSans: allowed } as const;
  return refusal(policy, { subjectAltName, problem: undefined }) === undefined;
}

describe('a client', () => {
  test.each([
    [['a.example'], true],
    [['b.example', 'a.example'], true],
    [['2001:db8::1'], true],
    [['2001:db8::2'], false],
    [['A.example'], false],
    [['example'], false],
    [[], false],
  ])('with client_allowed_sans %j is accepted: %s', (allowed, may) => {
    expect(isAllowed(allowed, 'DNS:a.example, IP Address:2001:DB8:0:0:0:0:0:1')).toBe(may);
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
  ])('whose certificate is for %s is accepted if %s is allowed: %s', (address, allowed, may) => {
    expect(isAllowed([allowed], `IP Address:${address}`)).toBe(may);
  });

  test('whose certificate has no names is rejected', () => {
    expect(isAllowed(['', 'undefined'], undefined)).toBe(false);
  });
});

describe('the subject alternative names of a certificate', () => {
  test('are those of the four types that Go supports, unquoted', async () => {
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

  test('are parsed unchanged from a real certificate', async () => {
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
    "are empty if %j can't be parsed",
    (text) => {
      expect(subjectAltNames(text)).toEqual([]);
    },
  );
});
