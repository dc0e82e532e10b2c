import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCiphers } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TlsConfig } from '../../src/web/tls-config.ts';
import { readTlsOptions } from '../../src/web/tls-options.ts';
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

/** @param lines of `tls_server_config`, in addition to certificate and key */
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

test('OpenSSL knows every cipher suite', () => {
  const suites = readWebConfig(
    new URL('../fixtures/web-config/all-ciphers.good.yml', import.meta.url).pathname,
  ).tls?.ciphers;
  expect(new Set(suites)).toHaveLength(13);
  for (const suite of suites ?? []) {
    expect(getCiphers()).toContain(suite.toLowerCase());
  }
});

test.each([
  ['TLS10', true],
  ['TLS11', true],
  ['TLS12', false],
  ['TLS13', false],
])('min_version %s lowers the security level of OpenSSL: %s', (version, lowers) => {
  const { ciphers } = readTlsOptions(tlsConfig(`min_version: ${version}`));
  expect(ciphers?.split(':').includes('@SECLEVEL=0')).toBe(lowers);
});

test('a file may contain text besides its certificates', () => {
  const config = tlsConfig('client_ca_file: authority.crt', 'client_auth_type: RequestClientCert');
  expect(readTlsOptions(config).ca).toHaveLength(1);
});

const ANY = 'client_auth_type: RequestClientCert';

test.each([
  [['cert_file: empty.crt'], /^cert_file \(.*\) and key_file \(.*\) can't be used: /],
  [['cert_file: server.key'], /^cert_file \(.*\) and key_file \(.*\) can't be used: /],
  [['key_file: none.key'], /^failed to read key_file \(.*none.key\): ENOENT/],
  [['key_file: other.key'], /^cert_file .* can't be used: the key does not match the certificate$/],
  [['key_file: rsa.key'], /^cert_file .* can't be used: the key does not match the certificate$/],
  [['key_file: empty.crt'], /^cert_file \(.*\) and key_file \(.*\) can't be used: /],
  [['key: secret'], /^cert_file \(.*\) and key can't be used: /],
  [[ANY, 'client_ca_file: none.crt'], /^failed to read client_ca_file \(.*ENOENT/],
  [[ANY, 'client_ca_file: empty.crt'], /^no certificate in client_ca_file \(.*empty.crt\)$/],
  [[ANY, 'client_ca_file: server.key'], /^no certificate in client_ca_file/],
  [[ANY, 'client_ca_file: broken.crt'], /^a certificate in client_ca_file \(.*broken.crt\) can't be read/],
  [[ANY, 'client_ca: text'], /^no certificate in client_ca$/],
])('%j is rejected', (lines, problem) => {
  const config = tlsConfig(...lines);
  expect(() => readTlsOptions(config)).toThrow(problem);
  expect(() => readTlsOptions(config)).not.toThrow('secret');
});
