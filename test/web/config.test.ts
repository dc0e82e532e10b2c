import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { FileError } from '../../src/config/yaml.ts';
import { readWebConfig } from '../../src/web/web-config.ts';
import { temporaryFolder } from '../web-server.ts';

const FOLDER = fileURLToPath(new URL('../fixtures/web-config/', import.meta.url));

function fixture(name: string): string {
  return `${FOLDER}${name}.yml`;
}

const DEFAULTS = {
  tls: undefined,
  http2: undefined,
  headers: new Map(),
  users: new Map(),
  rateLimit: { intervalMs: 0, burst: 0 },
};

const TLS = {
  cert: { file: `${FOLDER}server.crt` },
  key: { file: `${FOLDER}server.key` },
  clientCa: undefined,
  clientAuth: 'NoClientCert',
  clientAllowedSans: undefined,
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: undefined,
  preferServerCiphers: true,
  curves: undefined,
};

const HASH = '$2y$10$cwoWzV0i3Qnj.2A1GNj4UuK9BZUHoi5yYYSPI7T3fSZvF3LN2Fuiy';

const GOOD: Readonly<Record<string, object>> = {
  empty: {},
  'comments-only': {},
  'users-no-tls': {
    users: new Map([
      ['alice', HASH],
      ['bob:smith', '$2b$04$8ZtRLqVOGvyVKTVuVLdYNuWXsWWAd7yU1Vj1rdZ0VzWAq3z1MTNy2'],
    ]),
  },
  'users-none': {},
  headers: {
    headers: new Map([
      ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains'],
      ['X-Content-Type-Options', 'nosniff'],
      ['X-Frame-Options', 'deny'],
      ['X-XSS-Protection', '1'],
      ['Content-Security-Policy', "default-src 'self'"],
    ]),
  },
  'no-http2': { tls: TLS, http2: false },
  tls: { tls: { ...TLS, key: { file: `${FOLDER}tls/server.key` } } },
  'tls-inline': {
    tls: {
      ...TLS,
      cert: { text: 'of the certificate\n' },
      key: { text: 'of the key\n' },
      clientCa: { text: 'of the authority' },
      clientAuth: 'RequireAnyClientCert',
    },
  },
  'tls-file-before-inline': { tls: TLS },
  'tls-everything': {
    tls: {
      ...TLS,
      clientCa: { file: '/etc/ssl/clients.crt' },
      clientAuth: 'RequireAndVerifyClientCert',
      clientAllowedSans: ['prometheus.example', '192.0.2.1'],
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.2',
      ciphers: ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
      preferServerCiphers: false,
      curves: ['P-521', 'X25519'],
    },
  },
  'all-ciphers': { tls: { ...TLS, ciphers: expect.objectContaining({ length: 13 }) } },
  'all-curves': { tls: { ...TLS, curves: ['P-256', 'P-384', 'P-521', 'X25519'] } },
  'versions-without-tls': {},
  'rate-limit': { rateLimit: { intervalMs: 1_000, burst: 5 } },
  'rate-limit-off': { rateLimit: { intervalMs: 0, burst: 5 } },
  'rate-limit-blocking': { rateLimit: { intervalMs: 1_000, burst: 0 } },
};

const NO_CERT = 'tls_server_config: missing one of cert or cert_file';
const NO_KEY = 'tls_server_config: missing one of key or key_file';
const NO_POLICY = "tls_server_config: client CA's have been configured without a Client Auth Policy";
const NO_CERTIFICATE_FOR_SANS =
  'tls_server_config: client_allowed_sans requires client_auth_type to be one of RequireAnyClientCert or RequireAndVerifyClientCert';
const NO_HASH =
  'basic_auth_users.alice: not a bcrypt hash: make one with htpasswd -nBC 10 USER, and write what follows the colon';

/** With the line. */
const BAD: Readonly<Record<string, string>> = {
  junk: '1: expected a mapping',
  'junk-key': '2: tls_server_config.cert_filse: unknown key, expected one of cert, cert_file, key, key_file,',
  'cert-path-empty': `1: ${NO_CERT}`,
  'cert-empty': `1: ${NO_CERT}`,
  'key-path-empty': `1: ${NO_KEY}`,
  'key-empty': `1: ${NO_KEY}`,
  'cert-path-and-key-path-empty': `1: ${NO_CERT}`,
  'client-ca-without-policy': `1: ${NO_POLICY}`,
  'client-ca-text-without-policy': `1: ${NO_POLICY}`,
  'client-auth-invented': '4: tls_server_config.client_auth_type: invalid ClientAuth: RequireAnyClient',
  'client-sans-no-client-auth': `1: ${NO_CERTIFICATE_FOR_SANS}`,
  'client-sans-optional-cert': `1: ${NO_CERTIFICATE_FOR_SANS}`,
  'invented-ciphers': '4: tls_server_config.cipher_suites[1]: unknown cipher: TLS_RSA_WITH_ROT13',
  'rsa-key-exchange':
    '4: tls_server_config.cipher_suites[0]: unknown cipher: TLS_RSA_WITH_AES_128_GCM_SHA256',
  'invented-curves': '4: tls_server_config.curve_preferences[0]: unknown curve: CurveP257',
  'wrong-tls-version': '4: tls_server_config.min_version: unknown TLS version: TLS111',
  'min-version-above-max':
    '1: tls_server_config: min_version is newer than max_version, so that no client could connect',
  'prefer-maybe': '2: tls_server_config.prefer_server_cipher_suites: expected true or false',
  'headers-content-type-options':
    '2: http_server_config.headers: invalid value for X-Content-Type-Options. Expected one of: ["nosniff"], but got: "nosnif"',
  'headers-frame-options':
    '2: http_server_config.headers: invalid value for X-Frame-Options. Expected one of: ["deny" "sameorigin"], but got: "DENY"',
  'headers-extra-header': '2: http_server_config.headers: HTTP header "Server" can not be configured',
  'headers-in-small-letters':
    '2: http_server_config.headers: HTTP header "x-frame-options" can not be configured',
  'headers-line-break':
    '2: http_server_config.headers: Invalid character in header content ["Content-Security-Policy"]',
  'user-without-hash': `2: ${NO_HASH}`,
  'user-plain-password': `2: ${NO_HASH}`,
  'user-long-plain-password': `2: ${NO_HASH}`,
  'user-hash-of-another-kind': `2: ${NO_HASH}`,
  'user-hash-too-long': `2: ${NO_HASH}`,
  'user-cost-too-low': '2: basic_auth_users.alice: cost 3 is outside allowed inclusive range 4..16',
  'user-cost-too-high': '2: basic_auth_users.alice: cost 17 is outside allowed inclusive range 4..16',
  'user-list': '1: basic_auth_users: expected a mapping',
  'user-named-constructor': '1: basic_auth_users: the names __proto__, prototype, constructor cannot be used',
  'user-twice': '3: Map keys must be unique',
  'rate-limit-negative-interval': '2: rate_limit.interval: expected a duration such as 500ms, 5s or 1m30s',
  'rate-limit-fractional-burst': '3: rate_limit.burst: expected a whole number of 0 or more',
};

function messageOf(name: string): string {
  try {
    readWebConfig(fixture(name));
  } catch (error) {
    expect(error).toBeInstanceOf(FileError);
    return error instanceof Error ? error.message : '';
  }
  throw new Error('not refused');
}

test('every fixture has an expected result', () => {
  const expected = [
    ...Object.keys(GOOD).map((name) => `${name}.good`),
    ...Object.keys(BAD).map((name) => `${name}.bad`),
  ];
  expect(readdirSync(FOLDER).sort()).toEqual(expected.map((name) => `${name}.yml`).sort());
});

test.each(Object.entries(GOOD))('%s is accepted', (name, expected) => {
  expect(readWebConfig(fixture(`${name}.good`))).toEqual({ ...DEFAULTS, ...expected });
});

describe('the file is rejected, with file, line and path:', () => {
  test.each(Object.entries(BAD))('%s', (name, expected) => {
    expect(messageOf(`${name}.bad`)).toContain(`${fixture(`${name}.bad`)}:${expected}`);
  });
});

test('no error quotes an invalid hash', () => {
  for (const name of Object.keys(BAD).filter((one) => one.startsWith('user-'))) {
    expect(messageOf(`${name}.bad`)).not.toMatch(/horse|cwoWzV0i3Qnj/);
  }
});

test.each([
  ['', 0],
  ['interval: 0', 0],
  ['interval: 0.0ms', 0],
  ['interval: 100ms', 100],
  ['interval: 1m30s', 90_000],
])('%j sets an interval of %d ms between requests', (line, intervalMs) => {
  const { folder } = temporaryFolder({ 'web.yml': `rate_limit: { ${line} }` });
  expect(readWebConfig(join(folder, 'web.yml')).rateLimit).toEqual({ intervalMs, burst: 0 });
});

test('file names are relative to the configuration file, not to the working directory', () => {
  const before = process.cwd();
  process.chdir(dirname(FOLDER));
  try {
    expect(readWebConfig('web-config/tls.good.yml').tls?.cert).toEqual({ file: `${FOLDER}server.crt` });
  } finally {
    process.chdir(before);
  }
});
