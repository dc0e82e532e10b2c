/** Reads files that somebody has named, and nothing that would wait for a writer: a pipe would hold up all others. */
import { readFileSync, type Stats, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';

/** @throws Error, also where the file is a pipe, a device or a folder */
export async function readRegularFile(file: string): Promise<string> {
  refuseOther(file, await stat(file));
  return await readFile(file, 'utf8');
}

/** @throws Error, also where the file is a pipe, a device or a folder */
export function readRegularFileSync(file: string): string {
  refuseOther(file, statSync(file));
  return readFileSync(file, 'utf8');
}

function refuseOther(file: string, stats: Stats): void {
  if (!stats.isFile()) {
    throw new Error(`${file} is not a regular file`);
  }
}
