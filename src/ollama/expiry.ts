/** Turns the moment in `expires_at` of a row of /api/ps into when Ollama means to unload the model. */

/** Unix milliseconds; `Infinity` for "forever". */
export type ExpiryMs = number;

/** `ollama ps` prints "Forever" from here on: trunc(hours)/24/365 > 20 in integers (format/time.go). */
const FOREVER_HOURS = 21 * 365 * 24;

/**
 * @param momentMs Unix milliseconds
 * @param nowMs Unix milliseconds by the clock of the Ollama host
 */
export function expiryAt(momentMs: number, nowMs: number): ExpiryMs {
  const hoursAhead = Math.trunc((momentMs - nowMs) / 3_600_000);
  return hoursAhead >= FOREVER_HOURS ? Number.POSITIVE_INFINITY : momentMs;
}
