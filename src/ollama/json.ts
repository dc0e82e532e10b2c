/** Reads single values out of JSON that a stranger wrote. */

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The value if it is a string, else ''. Lone surrogates and NUL become U+FFFD: UTF-8 can't carry the former, so
 * two names could become one, and Prometheus ends a line of exposition at the latter (promlex.l: `\0` is EOF).
 */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '\uFFFD') : '';
}
