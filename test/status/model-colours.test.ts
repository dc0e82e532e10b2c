import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { coloursOf } from '../../src/status/model-colours.ts';

const MANY = Array.from({ length: 50 }, (_, index) => `model-${index}`);

test('eight models get eight colours, and more models share them evenly', () => {
  expect(new Set(coloursOf(MANY.slice(0, 8)).values()).size).toBe(8);
  const used = [...coloursOf(MANY).values()];
  const counts = [...new Set(used)].map((colour) => used.filter((other) => other === colour).length);
  expect(counts.sort()).toEqual([6, 6, 6, 6, 6, 6, 7, 7]);
});

test('every colour is in the style sheet', () => {
  const style = readFileSync(new URL('../../src/status/style.css', import.meta.url), 'utf8');
  for (const colour of new Set(coloursOf(MANY).values())) {
    expect(style).toContain(`.${colour} {`);
  }
});

test('a model keeps its colour in any order, and when a model with another colour is added', () => {
  const before = coloursOf(['llama3.1:8b', 'qwen3:4b']);
  expect(coloursOf(['qwen3:4b', 'llama3.1:8b'])).toEqual(before);
  const others = MANY.filter((name) => ![...before.values()].includes(coloursOf([name]).get(name) ?? ''));
  expect(others.length).toBeGreaterThan(20);
  for (const other of others) {
    const after = coloursOf(['llama3.1:8b', other, 'qwen3:4b']);
    expect([...before].every(([name, colour]) => after.get(name) === colour)).toBe(true);
  }
});

test('rows with the same name have the same colour', () => {
  expect(coloursOf(['a', 'a', 'b']).size).toBe(2);
});
