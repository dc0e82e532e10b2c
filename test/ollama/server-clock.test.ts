import { expect, test } from 'vitest';
import { serverClock } from '../../src/ollama/time.ts';

const NOW = Date.parse('2026-08-22T12:00:00.500Z');
const dateOf = (ms: number) => new Date(ms).toUTCString();

test.each([-3_600_000, -3_000, 3_000, 86_400_000])('a server clock %d ms off is used', (skew) => {
  const server = Math.trunc((NOW + skew) / 1_000) * 1_000;
  expect(serverClock(dateOf(server), NOW)).toBe(server);
});

test.each([-1_500, -500, 0, 1_500, 2_499])(
  'a difference of %d ms is within the precision of the Date header and is ignored',
  (skew) => {
    expect(serverClock(dateOf(NOW + skew), NOW)).toBe(NOW);
  },
);

test.each([
  undefined,
  '',
  '0',
  'garbage 1',
  'Sat, 22 Aug 2026',
  '2001-01-01T00:00:00Z',
  'Mon, 01 Jan 0001 00:00:00 GMT',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  'Xxx, 99 Xxx 2026 12:00:00 GMT',
])('a Date header of %j is ignored', (header) => {
  expect(serverClock(header, NOW)).toBe(NOW);
});

test('two Date headers are ignored', () => {
  expect(serverClock([dateOf(0), dateOf(0)], NOW)).toBe(NOW);
});
