/** Turns PEM into certificates of authorities, all of which can be read. */
import { X509Certificate } from 'node:crypto';
import { messageOf } from '../log/error-text.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs;

/**
 * OpenSSL skips what it can't read, and of an empty `ca` Node.js makes all public authorities.
 *
 * @param source what it was read from, for errors
 * @returns at least one certificate, as PEM
 * @throws Error
 */
export function parseAuthorities(pem: string, source: string): string[] {
  const certificates = pem.match(CERTIFICATE) ?? [];
  if (certificates.length === 0) {
    throw new Error(`no certificate in ${source}`);
  }
  for (const certificate of certificates) {
    try {
      new X509Certificate(certificate);
    } catch (cause) {
      const problem = messageOf(cause);
      throw new Error(`a certificate in ${source} can't be read: ${problem}`, { cause });
    }
  }
  return certificates;
}
