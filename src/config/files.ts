/** Files in the configuration: regular ones only, since reading a pipe waits for a writer and blocks the exporter. */
import { X509Certificate } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { messageOf } from '../log/error-text.ts';

/** Opens a pipe without waiting, to reject it. Checks the opened file, which can't be replaced before it is read. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** @throws Error, also if the file is a pipe, a device or a directory, or is too large */
export async function readRegularFile(file: string): Promise<string> {
  const handle = await open(file, FLAGS);
  try {
    refuseOther(file, await handle.stat());
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** @throws Error, also if the file is a pipe, a device or a directory, or is too large */
export function readRegularFileSync(file: string, maxBytes = MAX_BYTES): string {
  const fd = openSync(file, FLAGS);
  try {
    refuseOther(file, fstatSync(fd), maxBytes);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/** All public CAs together are 300 KB. */
const MAX_BYTES = 2 * 1024 * 1024;

function refuseOther(file: string, stats: Stats, maxBytes = MAX_BYTES): void {
  if (!stats.isFile()) {
    throw new Error(`${file} is not a regular file`);
  }
  if (stats.size > maxBytes) {
    throw new Error(`${file} has ${stats.size} bytes, more than ${maxBytes}`);
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs;

/**
 * The CA certificates in a PEM text. OpenSSL skips invalid ones, and Node.js takes an empty `ca` for all public CAs.
 *
 * @param source where the text comes from, for errors
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
