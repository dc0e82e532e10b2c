import { expect, test } from 'vitest';
import { parseGoDuration } from '../../src/config/go-duration.ts';

test.each([
  ['5s', 5_000],
  ['500ms', 500],
  ['1m30s', 90_000],
  ['1.5s', 1_500],
  ['.5s', 500],
  ['1h', 3_600_000],
  ['24h', 86_400_000],
  ['2000us', 2],
  ['2000µs', 2],
  ['1000000ns', 1],
])('%s equals %d ms', (text, ms) => {
  expect(parseGoDuration(text)).toBe(ms);
});

test.each(['', '5', 's', '5 s', '5S', '-5s', '5s ', '1d', '5sm', '1e3s', '٥s'])(
  '%j is not a duration',
  (text) => {
    expect(() => parseGoDuration(text)).toThrow('expected a duration such as 500ms, 5s or 1m30s');
  },
);

test.each(['0s', '0ms', '24h1ns', '1000h'])('%s is out of range', (text) => {
  expect(() => parseGoDuration(text)).toThrow('more than 0 and at most 24h');
});
