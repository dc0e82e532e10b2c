import { expect, test } from 'vitest';
import { psBody } from '../../src/demo/api.ts';
import { EMBEDDING_MODEL } from '../../src/demo/catalog.ts';
import { DEMO_MACHINE, simulate } from '../../src/demo/simulation.ts';

const START = Date.parse('2026-08-22T12:00:00Z');
const SEED = 11434;

/** Samples of the demo, one per second. */
function watch(minutes: number) {
  const loadedAt = simulate(SEED, START);
  return Array.from({ length: minutes * 60 }, (_, second) => {
    const nowMs = START + second * 1_000;
    return { nowMs, rows: loadedAt(nowMs) };
  });
}

test('the same seed and start time give the same demo, however often it is read', () => {
  const often = simulate(SEED, START);
  const seldom = simulate(SEED, START);
  for (let second = 0; second < 600; second += 1) {
    often(START + second * 1_000);
  }
  expect(psBody(often(START + 600_000))).toBe(psBody(seldom(START + 600_000)));
});

test('another seed gives another demo', () => {
  expect(psBody(simulate(1, START)(START))).not.toBe(psBody(simulate(2, START)(START)));
});

test('several models are loaded at the start, and the list changes within 30 seconds', () => {
  const names = watch(1).map(({ rows }) =>
    rows
      .map(({ model }) => model.name)
      .sort()
      .join(),
  );
  expect(names[0]?.split(',').length).toBeGreaterThan(1);
  expect(new Set(names.slice(0, 30)).size).toBeGreaterThan(1);
});

test('ten minutes include a spill, a busy model past its expiry, full VRAM and free VRAM', () => {
  const samples = watch(10);
  const rows = samples.flatMap(({ nowMs, rows }) => rows.map((row) => ({ ...row, nowMs })));
  expect(rows.some(({ model, sizeVramBytes }) => sizeVramBytes > 0 && sizeVramBytes < model.sizeBytes)).toBe(
    true,
  );
  expect(rows.some(({ expiresAtMs, nowMs }) => expiresAtMs < nowMs)).toBe(true);
  const used = samples.map(({ rows }) => rows.reduce((sum, { sizeVramBytes }) => sum + sizeVramBytes, 0));
  expect(Math.max(...used)).toBeGreaterThan(0.9 * DEMO_MACHINE.vramBytes);
  expect(Math.min(...used)).toBeLessThan(0.7 * DEMO_MACHINE.vramBytes);
});

test('VRAM in use never exceeds the capacity, and the pinned model is always loaded', () => {
  for (const { rows } of watch(30)) {
    const used = rows.reduce((sum, { sizeVramBytes }) => sum + sizeVramBytes, 0);
    expect(used).toBeLessThanOrEqual(DEMO_MACHINE.vramBytes);
    expect(rows.map(({ model }) => model)).toContain(EMBEDDING_MODEL);
  }
});

test('a gap of a week is simulated within 5 seconds', () => {
  const loadedAt = simulate(SEED, START);
  loadedAt(START);
  const start = performance.now();
  expect(loadedAt(START + 7 * 86_400_000).length).toBeGreaterThan(0);
  expect(performance.now() - start).toBeLessThan(5_000);
});
