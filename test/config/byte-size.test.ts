import { expect, test } from 'vitest';
import { parseByteSize } from '../../src/config/byte-size.ts';

test.each([
  ['24GiB', 25_769_803_776],
  ['24576MiB', 25_769_803_776],
  ['25769803776', 25_769_803_776],
  ['25769803776B', 25_769_803_776],
  ['24 GiB', 25_769_803_776],
  ['1.5TiB', 1_649_267_441_664],
  ['24GB', 24_000_000_000],
  ['1KB', 1_000],
  ['1KiB', 1_024],
])('%s is %d bytes', (text, bytes) => {
  expect(parseByteSize(text)).toBe(bytes);
});

test.each([
  '',
  '0',
  '0GiB',
  '-1GiB',
  'GiB',
  '24G',
  '24gib',
  '24Gib',
  '1e9',
  '24GiB ',
  '24  GiB',
  '9999999TiB',
  'all',
])('%j is refused', (text) => {
  expect(() => parseByteSize(text)).toThrow(
    'expected an amount of memory such as 24GiB, 24576MiB or 25769803776',
  );
});
