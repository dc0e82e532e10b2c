import { describe, expect, test } from 'vitest';
import { expiryAt, parseTimestamp } from '../../src/ollama/time.ts';

const NOW = Date.parse('2026-08-22T12:00:00Z');
const HOUR = 3_600_000;

function parseExpiry(value: unknown, nowMs: number): number | undefined {
  const moment = parseTimestamp(value);
  return moment === undefined ? undefined : expiryAt(moment, nowMs);
}

function ahead(ms: number): string {
  return new Date(NOW + ms).toISOString();
}

describe('an expiry is forever, as in `ollama ps`,', () => {
  const boundary = 21 * 365 * 24 * HOUR;

  test('from 21 times 365 days', () => {
    expect(parseExpiry(ahead(boundary), NOW)).toBe(Number.POSITIVE_INFINITY);
  });

  test('but not a millisecond earlier', () => {
    expect(parseExpiry(ahead(boundary - 1), NOW)).toBe(NOW + boundary - 1);
  });
});

test.each([
  ['2026-08-22T12:04:31Z', 271_000],
  ['2026-08-22T12:04:31.837530129Z', 271_837],
  ['2026-08-22T18:00:00.123456789+05:45', 900_123],
  ['2026-08-22T08:12:00.12-04:00', 720_120],
  ['2026-08-22T11:59:57.000120003Z', -3_000],
])('%s is %d ms ahead', (text, offset) => {
  expect(parseExpiry(text, NOW)).toBe(NOW + offset);
});

test.each([
  undefined,
  null,
  '',
  1_787_400_000,
  {},
  'soon',
  '2026',
  '1',
  '2026-08-22',
  '2026-08-22 12:04:31Z',
  '2026-13-22T12:04:31Z',
  '2026-02-29T12:04:31Z',
  '2026-11-31T12:04:31Z',
  '2026-08-22T24:00:00Z',
  '2026-08-00T12:00:00Z',
  '2026-08-22T12:04:60Z',
  '2026-08-22T12:04:31',
  '0001-01-01T00:00:00Z',
  '1734-05-12T16:58:49.876Z',
  '1999-12-31T23:59:59.999Z',
])('%j is not a valid time', (value) => {
  expect(parseExpiry(value, NOW)).toBeUndefined();
});

test('the year 2000 is valid', () => {
  expect(parseExpiry('2000-01-01T00:00:00Z', NOW)).toBe(946_684_800_000);
});
