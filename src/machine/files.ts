/** Reads files of the kernel about the machine, which differ between kernels. */
import { readdirSync, readFileSync } from 'node:fs';

/** '' if the file can't be read. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** NaN if there is no number. */
export function readNumber(file: string): number {
  const text = readText(file).trim();
  return text === '' ? Number.NaN : Number(text);
}

/** Lines such as `simd_count 80` → the number by its name. */
export function readProperties(file: string): ReadonlyMap<string, number> {
  return new Map(
    [...readText(file).matchAll(/^(\w+) (\d+)$/gm)].map(([, name = '', n]) => [name, Number(n)]),
  );
}

/** Empty if the directory can't be read. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** A text that is not a number counts as 0. */
export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + (Number.isFinite(number) ? number : 0), 0);
}
