/** Parses a duration as in Go and Prometheus (`500ms`, `1m30s`) into milliseconds. */

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g;

/** Node's timers overflow after 24.8 days; no scrape takes that long. */
const MAX_MS = 24 * 3_600_000;

/**
 * @returns milliseconds, more than 0
 * @throws Error that states what was expected
 */
export function parseGoDuration(text: string): number {
  const parts = [...text.matchAll(PART)];
  const understood = parts.map(([part]) => part).join('');
  if (text === '' || understood !== text) {
    throw new Error('expected a duration such as 500ms, 5s or 1m30s');
  }
  const ms = parts.reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS.get(unit ?? '') ?? 0),
    0,
  );
  if (ms <= 0 || ms > MAX_MS) {
    throw new Error('expected a duration of more than 0 and at most 24h');
  }
  return ms;
}
