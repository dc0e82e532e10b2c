/** Files that the operator has named: regular ones only, since a pipe would wait for a writer and hold up everything. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, type Stats, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { messageOf } from '../log/error-text.ts';

/** @throws Error, also where the file is a pipe, a device or a folder, or too large */
export async function readRegularFile(file: string): Promise<string> {
  refuseOther(file, await stat(file));
  return await readFile(file, 'utf8');
}

/** @throws Error, also where the file is a pipe, a device or a folder */
export function readRegularFileSync(file: string): string {
  refuseOther(file, statSync(file));
  return readFileSync(file, 'utf8');
}

/** All public authorities are 300 KB; YAML of 100 MB would hold up everything. */
const MAX_BYTES = 2 * 1024 * 1024;

function refuseOther(file: string, stats: Stats): void {
  if (!stats.isFile()) {
    throw new Error(`${file} is not a regular file`);
  }
  if (stats.size > MAX_BYTES) {
    throw new Error(`${file} has ${stats.size} bytes, more than ${MAX_BYTES}`);
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs;

/**
 * The certificates of authorities in a PEM text. OpenSSL skips what it can't read, and of an empty `ca` Node.js makes
 * all public authorities.
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
