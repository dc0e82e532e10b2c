/** Turns `rate_limit` of the web configuration file into a token bucket that requests draw from. */
import * as v from 'valibot';
import { parseGoDuration } from '../config/go-duration.ts';
import { mapping, text } from '../config/yaml.ts';

export interface RateLimit {
  /** Between two tokens; 0 sets no limit at all. */
  readonly intervalMs: number;
  /** How many tokens there may be; with 0 nothing ever passes. */
  readonly burst: number;
}

export const RATE_LIMIT_SECTION = v.pipe(
  mapping({
    interval: v.optional(text(parseInterval), '0s'),
    burst: v.optional(text(parseBurst), '0'),
  }),
  v.transform(({ interval, burst }): RateLimit => ({ intervalMs: interval, burst })),
);

/** @returns whether a request may pass now; by the rules of Go's golang.org/x/time/rate */
export function rateLimiter({ intervalMs, burst }: RateLimit, now: () => number): () => boolean {
  if (intervalMs === 0) {
    return () => true;
  }
  let tokens = burst;
  let last = now();
  return () => {
    const time = now();
    tokens = Math.min(burst, tokens + (time - last) / intervalMs);
    last = time;
    if (tokens < 1) {
      return false;
    }
    tokens -= 1;
    return true;
  };
}

function parseInterval(duration: string): number {
  return /^0+(\.0*)?(ns|us|µs|ms|s|m|h)?$/.test(duration) ? 0 : parseGoDuration(duration);
}

function parseBurst(count: string): number {
  if (!/^\d{1,9}$/.test(count)) {
    throw new Error('expected a whole number of 0 or more');
  }
  return Number(count);
}
