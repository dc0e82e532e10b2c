/** Go's names of TLS versions, cipher suites and curves, and those of Node.js and OpenSSL. */
import type { SecureVersion } from 'node:tls';

/** Oldest first. */
const VERSIONS: ReadonlyMap<string, SecureVersion> = new Map([
  ['TLS10', 'TLSv1'],
  ['TLS11', 'TLSv1.1'],
  ['TLS12', 'TLSv1.2'],
  ['TLS13', 'TLSv1.3'],
]);

/** Not configurable, as in Go: TLS 1.3 always offers all of them. */
export const TLS13_SUITES: readonly string[] = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
];

/** Go's tls.CipherSuites() since 1.22, without suites with RSA key exchange. */
const CIPHERS: ReadonlyMap<string, string> = new Map([
  ...TLS13_SUITES.map((name) => [name, name] as const),
  ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA', 'ECDHE-ECDSA-AES128-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 'ECDHE-RSA-AES128-SHA'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA', 'ECDHE-ECDSA-AES256-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA', 'ECDHE-RSA-AES256-SHA'],
]);

const CURVES: ReadonlyMap<string, string> = new Map([
  ['CurveP256', 'P-256'],
  ['CurveP384', 'P-384'],
  ['CurveP521', 'P-521'],
  ['X25519', 'X25519'],
]);

/** @throws Error that names it */
export function parseVersion(name: string): SecureVersion {
  return known(VERSIONS, 'TLS version', name);
}

/** @throws Error that names it */
export function parseCipher(name: string): string {
  return known(CIPHERS, 'cipher', name);
}

/** @throws Error that names it */
export function parseCurve(name: string): string {
  return known(CURVES, 'curve', name);
}

export function isNewer(version: SecureVersion, than: SecureVersion): boolean {
  const order = [...VERSIONS.values()];
  return order.indexOf(version) > order.indexOf(than);
}

function known<T>(names: ReadonlyMap<string, T>, kind: string, name: string): T {
  const value = names.get(name);
  if (value === undefined) {
    throw new Error(`unknown ${kind}: ${name}`);
  }
  return value;
}
