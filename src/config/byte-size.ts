/** Parses a size such as `24GiB`, `24g` or `25769803776`. */

/** Powers of 1024, with and without the i, as in Prometheus: a 24 GB card has 24 GiB. */
const PREFIXES = ['', 'k', 'm', 'g', 't'];

const MIB = 1024 ** 2;

/** No machine that runs models has less, so the unit is missing. */
const MIN_BYTES = 64 * MIB;

/**
 * @returns whole bytes, at least 64 MiB
 * @throws Error that states what was expected
 */
export function parseByteSize(text: string): number {
  const [, amount, prefix = ''] = /^(\d+(?:\.\d+)?)(?: ?(?:([kmgt])i?b?|b))?$/i.exec(text) ?? [];
  const bytes = Math.round(Number(amount) * 1024 ** PREFIXES.indexOf(prefix.toLowerCase()));
  if (!(bytes > 0) || !Number.isSafeInteger(bytes)) {
    throw new Error('expected an amount of memory such as 24GiB, 24576MiB or 25769803776');
  }
  if (bytes < MIN_BYTES) {
    throw new Error(`${text} is ${bytes} ${bytes === 1 ? 'byte' : 'bytes'}: ${suggestion(Number(amount))}`);
  }
  return bytes;
}

/** Uses the largest unit that gives a plausible size. */
function suggestion(amount: number): string {
  if (amount * 1024 * MIB < MIN_BYTES) {
    return 'expected at least 64MiB';
  }
  const unit = amount < 2 * 1024 ? 'GiB' : amount < 2 * MIB ? 'MiB' : 'KiB';
  return `did you mean ${amount}${unit}?`;
}
