/** Turns `expires_at` of a row of /api/ps into the moment when Ollama means to unload the model. */
import { parseTimestamp } from './timestamp.ts';

/** Unix milliseconds; `Infinity` for "forever". */
export type ExpiryMs = number;

/** `ollama ps` prints "Forever" from here on: trunc(hours)/24/365 > 20 in integers (format/time.go). */
const FOREVER_HOURS = 21 * 365 * 24;

/**
 * @param expiresAt what the row holds, of any type
 * @param nowMs Unix milliseconds by the clock of the Ollama host
 * @returns undefined where there is no usable time
 */
export function parseExpiry(expiresAt: unknown, nowMs: number): ExpiryMs | undefined {
  const moment = parseTimestamp(expiresAt);
  if (moment === undefined) {
    return undefined;
  }
  const hoursAhead = Math.trunc((moment - nowMs) / 3_600_000);
  return hoursAhead >= FOREVER_HOURS ? Number.POSITIVE_INFINITY : moment;
}
