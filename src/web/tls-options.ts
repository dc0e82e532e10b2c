/** Loads the certificates of the web configuration file into options for Node.js, and validates them. */
import { constants, createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext, DEFAULT_CIPHERS, type SecureContextOptions } from 'node:tls';
import { parseAuthorities, readRegularFileSync } from '../config/files.ts';
import { messageOf } from '../log/error-text.ts';
import { requestsCertificate } from './client-certificates.ts';
import type { Pem, TlsConfig } from './tls-config.ts';
import { TLS13_SUITES } from './tls-names.ts';

/** The files that readTlsOptions reads. */
export function filesOf({ cert, key, clientCa }: TlsConfig): readonly string[] {
  return [cert, key, clientCa].flatMap((pem) => (pem !== undefined && 'file' in pem ? [pem.file] : []));
}

/**
 * @returns validated options: a TLS context was created from them
 * @throws Error that names the setting and the file
 */
export function readTlsOptions(config: TlsConfig): SecureContextOptions {
  const cert = read('cert_file', config.cert);
  const key = read('key_file', config.key);
  const options: SecureContextOptions = {
    cert,
    key,
    ...(config.clientCa && {
      ca: parseAuthorities(read('client_ca_file', config.clientCa), nameOf('client_ca', config.clientCa)),
    }),
    minVersion: config.minVersion,
    maxVersion: config.maxVersion,
    ciphers: cipherList(config),
    honorCipherOrder: config.preferServerCiphers,
    ...(config.curves && { ecdhCurve: config.curves.join(':') }),
    secureOptions: secureOptions(config),
  };
  try {
    checkPair(cert, key);
    createSecureContext(options);
  } catch (cause) {
    const names = `${nameOf('cert', config.cert)} and ${nameOf('key', config.key)}`;
    throw new Error(`${names} can't be used: ${messageOf(cause)}`, { cause });
  }
  return options;
}

/** Node.js ignores empty values, and OpenSSL a key of another type than the certificate's. */
function checkPair(cert: string, key: string): void {
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw new Error('the key does not match the certificate');
  }
}

/** OpenSSL 3 rejects TLS 1.0 and 1.1 at any level except 0. */
const OLD_VERSIONS: readonly string[] = ['TLSv1', 'TLSv1.1'];

function cipherList({ ciphers, minVersion }: TlsConfig): string {
  // Without a TLS 1.3 suite in the list, Node.js would use TLS 1.2 at most.
  const list = ciphers === undefined ? [DEFAULT_CIPHERS] : [...new Set([...ciphers, ...TLS13_SUITES])];
  return [...list, ...(OLD_VERSIONS.includes(minVersion) ? ['@SECLEVEL=0'] : [])].join(':');
}

function secureOptions(config: TlsConfig): number {
  // As in Go. Otherwise an accepted client could present another certificate, or none, later.
  const always = constants.SSL_OP_NO_RENEGOTIATION;
  // A resumed session skips the check of the certificate: its validity, and the current CAs.
  return requestsCertificate(config) ? always | constants.SSL_OP_NO_TICKET : always;
}

function read(setting: string, pem: Pem): string {
  if ('text' in pem) {
    return pem.text;
  }
  try {
    return readRegularFileSync(pem.file);
  } catch (cause) {
    throw new Error(`failed to read ${setting} (${pem.file}): ${messageOf(cause)}`, { cause });
  }
}

function nameOf(setting: string, pem: Pem): string {
  return 'file' in pem ? `${setting}_file (${pem.file})` : setting;
}
