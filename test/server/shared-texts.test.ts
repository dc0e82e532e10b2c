import { expect, test } from 'vitest';
import { createSharedTexts } from '../../src/server/shared-texts.ts';
import { NO_CAPACITY } from '../exporter-in-process.ts';

test('the text of a scrape result is rendered once per key, for at most eight keys', () => {
  const shared = createSharedTexts();
  const snapshot = { capacity: NO_CAPACITY };
  let made = 0;
  const make = () => {
    made += 1;
    return `text ${made}`;
  };
  expect(shared(snapshot, 'a', make).toString()).toBe('text 1');
  expect(shared(snapshot, 'a', make)).toBe(shared(snapshot, 'a', make));
  for (const key of ['b', 'c', 'd', 'e', 'f', 'g', 'h']) {
    shared(snapshot, key, make);
  }
  expect(() => shared(snapshot, 'i', make)).toThrow('More than 8 different pages of one scrape');
  expect(shared({ ...snapshot }, 'i', make).toString()).toBe('text 9');
});
