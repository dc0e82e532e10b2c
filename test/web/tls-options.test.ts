import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCiphers } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TlsConfig } from '../../src/web/tls-config.ts';
import { parseCipher } from '../../src/web/tls-names.ts';
import { filesOf, readTlsOptions } from '../../src/web/tls-options.ts';
import { readWebConfig } from '../../src/web/web-config.ts';
import { newAuthority } from '../certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'tls-options-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content = ''): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

beforeAll(async () => {
  const authority = await newAuthority();
  const [server, other] = [await authority.issue(), await authority.issue()];
  file('server.crt', server.cert);
  file('server.key', server.key);
  file('other.key', other.key);
  file('authority.crt', `for clients:\n${authority.cert}`);
  file('empty.crt');
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
  file('rsa.key', rsa.export({ type: 'pkcs8', format: 'pem' }).toString());
  file('broken.crt', authority.cert.replace('MII', 'MIJ'));
});

/** @param lines of `tls_server_config`, beside certificate and key */
function tlsConfig(...lines: readonly string[]): TlsConfig {
  const given = (key: string) => lines.some((line) => line.startsWith(key));
  const cert = given('cert_file') ? [] : ['cert_file: server.crt'];
  const key = given('key') ? [] : ['key_file: server.key'];
  const { tls } = readWebConfig(
    file('web.yml', ['tls_server_config:', ...cert, ...lines, ...key].join('\n  ')),
  );
  if (tls === undefined) {
    throw new Error('no TLS');
  }
  return tls;
}

function ciphersOf(...lines: readonly string[]): readonly string[] {
  return readTlsOptions(tlsConfig(...lines)).ciphers?.split(':') ?? [];
}

test('every cipher suite has a name that OpenSSL knows', () => {
  const suites = readWebConfig(
    new URL('../fixtures/web-config/all-ciphers.good.yml', import.meta.url).pathname,
  ).tls?.ciphers;
  expect(new Set(suites)).toHaveLength(13);
  for (const suite of suites ?? []) {
    expect(getCiphers()).toContain(suite.toLowerCase());
  }
});

test('a suite of TLS 1.2 keeps its key exchange, its cipher and its strength', () => {
  expect(parseCipher('TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384')).toBe('ECDHE-ECDSA-AES256-GCM-SHA384');
});

describe('the list of cipher suites', () => {
  const TLS13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

  test('always has those of TLS 1.3, once', () => {
    const chosen = 'cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]';
    expect([...ciphersOf(chosen)].sort()).toEqual(['ECDHE-RSA-AES128-GCM-SHA256', ...TLS13]);
  });

  test.each(['TLS10', 'TLS11'])('lowers the level of security for %s', (version) => {
    expect(ciphersOf(`min_version: ${version}`)).toContain('@SECLEVEL=0');
  });

  test('does not lower it for TLS 1.2', () => {
    expect(ciphersOf('min_version: TLS12')).not.toContain('@SECLEVEL=0');
  });
});

test('all files are named', () => {
  const config = tlsConfig('client_ca_file: authority.crt', 'client_auth_type: RequireAndVerifyClientCert');
  expect(filesOf(config).map((path) => path.replace(folder, ''))).toEqual([
    '/server.crt',
    '/server.key',
    '/authority.crt',
  ]);
});

test.each([
  [['cert_file: empty.crt'], /^cert_file \(.*\) and key(_file \(.*\))? can't be used: /],
  [['cert_file: server.key'], /^cert_file \(.*\) and key(_file \(.*\))? can't be used: /],
  [['key_file: none.key'], /^failed to read key_file \(.*none.key\): ENOENT/],
  [
    ['key_file: other.key'],
    /^cert_file \(.*\) and key(_file \(.*\))? can't be used: the key is not that of the certificate$/,
  ],
  [
    ['key_file: rsa.key'],
    /^cert_file \(.*\) and key(_file \(.*\))? can't be used: the key is not that of the certificate$/,
  ],
  [['key_file: empty.crt'], /^cert_file \(.*\) and key(_file \(.*\))? can't be used: /],
  [['key: secret'], /^cert_file \(.*\) and key(_file \(.*\))? can't be used: /],
  [
    ['client_auth_type: RequestClientCert', 'client_ca_file: none.crt'],
    /^failed to read client_ca_file \(.*ENOENT/,
  ],
  [
    ['client_auth_type: RequestClientCert', 'client_ca_file: empty.crt'],
    /^no certificate in client_ca_file \(.*empty.crt\)$/,
  ],
  [
    ['client_auth_type: RequestClientCert', 'client_ca_file: server.key'],
    /^no certificate in client_ca_file/,
  ],
  [
    ['client_auth_type: RequestClientCert', 'client_ca_file: broken.crt'],
    /^a certificate in client_ca_file \(.*broken.crt\) can't be read/,
  ],
  [['client_auth_type: RequestClientCert', 'client_ca: text'], /^no certificate in client_ca$/],
])('%j is refused', (lines, problem) => {
  const config = tlsConfig(...lines);
  expect(() => readTlsOptions(config)).toThrow(problem);
  expect(() => readTlsOptions(config)).not.toThrow('secret');
});
