/** Turns an amount of memory as people write it (`24GiB`, `25769803776`) into bytes. */

const UNIT_BYTES: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['B', 1],
  ...['K', 'M', 'G', 'T'].flatMap(
    (prefix, index): Array<[string, number]> => [
      [`${prefix}iB`, 1024 ** (index + 1)],
      [`${prefix}B`, 1000 ** (index + 1)],
    ],
  ),
]);

/**
 * @returns whole bytes, more than 0
 * @throws Error that says what was expected
 */
export function parseByteSize(text: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?) ?([KMGT]i?B|B)?$/.exec(text) ?? [];
  const bytes = Math.round(Number(amount) * (UNIT_BYTES.get(unit) ?? Number.NaN));
  if (!(bytes > 0) || !Number.isSafeInteger(bytes)) {
    throw new Error('expected an amount of memory such as 24GiB, 24576MiB or 25769803776');
  }
  return bytes;
}
