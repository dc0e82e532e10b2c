/** Reads single values out of JSON that a stranger wrote. */

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The value if it is a string, else ''. Lone surrogates become U+FFFD, as they would in UTF-8 anyway: there two names
 * that differ in nothing else are one, and would make one series twice.
 */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value.toWellFormed() : '';
}

export function isByteCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
