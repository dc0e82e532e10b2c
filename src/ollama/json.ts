/** Reads single values from untrusted JSON. */

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The value if it is a string of this form, else ''. Lone surrogates become U+FFFD, as in UTF-8: two names that differ
 * only there would otherwise duplicate a series.
 */
export function textOf(value: unknown, form: RegExp): string {
  return typeof value === 'string' && form.test(value) ? value.toWellFormed() : '';
}

/** Sizes are an int64 in Go. The sum of a list of the maximum length is finite. */
const MAX_BYTES = 2 ** 63;

export function isByteCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_BYTES;
}
