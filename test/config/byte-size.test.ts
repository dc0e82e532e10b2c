import { expect, test } from 'vitest';
import { parseByteSize } from '../../src/config/byte-size.ts';

const GIB = 1024 ** 3;

test.each([
  '24G',
  '24GB',
  '24Gi',
  '24GiB',
  '24g',
  '24gb',
  '24gi',
  '24gib',
  '24 GiB',
  '24 gb',
  '24.0G',
  '24576MiB',
  '24576M',
  '24576mb',
  '25165824KiB',
  '25165824k',
  '0.0234375T',
  '25769803776',
  '25769803776B',
  '25769803776b',
])('%s equals 24 GiB', (text) => {
  expect(parseByteSize(text)).toBe(24 * GIB);
});

test.each([
  ['1.5TiB', 1.5 * 1024 * GIB],
  ['1TB', 1024 * GIB],
  ['64MiB', 64 * 1024 ** 2],
  ['67108864', 64 * 1024 ** 2],
  ['0.1GiB', 107_374_182],
])('%s equals %d bytes', (text, bytes) => {
  expect(parseByteSize(text)).toBe(bytes);
});

test.each([
  '',
  '0',
  '0GiB',
  '-1GiB',
  '+1GiB',
  'GiB',
  '24Kelvin',
  '24P',
  '24GiBs',
  '24i',
  '24iB',
  '24BG',
  '24\u212A',
  '1e9',
  '0x18G',
  '1,5GiB',
  '.5GiB',
  '24.GiB',
  '24 ',
  '24GiB ',
  ' 24GiB',
  '24GiB\n',
  '24  GiB',
  '٢٤GiB',
  '9999999TiB',
  'all',
])('%j is rejected', (text) => {
  expect(() => parseByteSize(text)).toThrow(
    'expected an amount of memory such as 24GiB, 24576MiB or 25769803776',
  );
});

test.each([
  ['24', '24 is 24 bytes: did you mean 24GiB?'],
  ['1', '1 is 1 byte: did you mean 1GiB?'],
  ['24MB', '24MB is 25165824 bytes: did you mean 24GiB?'],
  ['24B', '24B is 24 bytes: did you mean 24GiB?'],
  ['0.5', '0.5 is 1 byte: did you mean 0.5GiB?'],
  ['1128', '1128 is 1128 bytes: did you mean 1128GiB?'],
  // The output of nvidia-smi without its unit.
  ['24564', '24564 is 24564 bytes: did you mean 24564MiB?'],
  ['24564K', '24564K is 25153536 bytes: did you mean 24564MiB?'],
  // The value in /proc/meminfo without its unit.
  ['65740000', '65740000 is 65740000 bytes: did you mean 65740000KiB?'],
  ['67108863', '67108863 is 67108863 bytes: did you mean 67108863KiB?'],
  ['63MiB', '63MiB is 66060288 bytes: did you mean 63GiB?'],
  ['0.01GiB', '0.01GiB is 10737418 bytes: expected at least 64MiB'],
])('%s is rejected as too small, with a suggestion', (text, message) => {
  expect(() => parseByteSize(text)).toThrow(new Error(message));
});

test.each(['1'.repeat(1_000_000), `1.${'1'.repeat(1_000_000)}x`, `${'1'.repeat(1_000_000)}x`])(
  'a million characters are parsed within a second (%#)',
  (text) => {
    const start = performance.now();
    expect(() => parseByteSize(text)).toThrow('expected an amount of memory');
    expect(performance.now() - start).toBeLessThan(1_000);
  },
);
