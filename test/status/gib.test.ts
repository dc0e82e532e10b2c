import { expect, test } from 'vitest';
import { gib, percent, shownSizes } from '../../src/status/gib.ts';

const GIB = 1024 ** 3;

test.each([
  [0, '0.0'],
  [1, '<0.1'],
  [0.049 * GIB, '<0.1'],
  [0.05 * GIB, '0.1'],
  [17.64 * GIB, '17.6'],
  [1_536 * GIB, '1536.0'],
])('%d bytes are shown as %s GiB', (bytes, words) => {
  expect(gib(bytes)).toBe(words);
});

test('rounded sizes add up', () => {
  for (let vram = 0; vram < 3; vram += 0.013) {
    for (let ram = 0; ram < 3; ram += 0.017) {
      const shown = shownSizes((vram + ram) * GIB, vram * GIB, ram * GIB);
      const [a, b, sum] = [shown.vram, shown.ram, shown.size].map((text) =>
        Math.round(Number(text.replace('<0.1', '0').replace(' GiB', '')) * 10),
      );
      expect(sum, JSON.stringify(shown)).toBe((a ?? 0) + (b ?? 0));
    }
  }
});

test('unknown sizes are shown as a dash, and VRAM larger than the size as reported', () => {
  expect(shownSizes(5 * GIB, null, null)).toEqual({ vram: '–', ram: '–', size: '5.0 GiB' });
  expect(shownSizes(5 * GIB, 8 * GIB, 0)).toEqual({ vram: '8.0 GiB', ram: '0.0 GiB', size: '5.0 GiB' });
  expect(shownSizes(10, 10, 0)).toEqual({ vram: '<0.1 GiB', ram: '0.0 GiB', size: '<0.1 GiB' });
});

test('a share is shown as a whole percentage', () => {
  expect([percent(17.6, 24), percent(0, 24), percent(30, 24)]).toEqual(['73%', '0%', '125%']);
});
