import { describe, expect, test } from 'vitest';
import { type CatalogModel, GIB } from '../../src/demo/catalog.ts';
import { Scheduler } from '../../src/demo/scheduler.ts';

const START = Date.parse('2026-08-22T12:00:00Z');
const MINUTE = 60_000;

function model(name: string, gib: number): CatalogModel {
  return {
    name,
    digest: name,
    blob: name,
    family: 'llama',
    parameterSize: '8.0B',
    quantization: 'Q4_K_M',
    sizeBytes: gib * GIB,
    diskBytes: gib * GIB,
    contextLength: 4096,
  };
}

const small = model('small', 6);
const medium = model('medium', 12);
const large = model('large', 30);

function scheduler() {
  const gpu = new Scheduler(24 * GIB);
  return {
    gpu,
    request: (what: CatalogModel, at: number, durationMs = 1_000, keepAliveMs = 5 * MINUTE) =>
      gpu.request({ model: what, durationMs, keepAliveMs }, START + at),
    /** Names, and GiB in VRAM. */
    loaded: (at: number) => gpu.loaded(START + at).map((row) => [row.model.name, row.sizeVramBytes / GIB]),
    expiresIn: (at: number) => gpu.loaded(START + at).map((row) => row.expiresAtMs - START - at),
  };
}

test('a requested model stays loaded until its keep-alive has passed since the request ended', () => {
  const { request, loaded } = scheduler();
  request(small, 0, 1_000, MINUTE);
  expect(loaded(0)).toEqual([['small', 6]]);
  expect(loaded(60_999)).toEqual([['small', 6]]);
  expect(loaded(61_000)).toEqual([]);
});

test('the expiry moves during the first request, and is fixed once the request ends', () => {
  const { request, expiresIn } = scheduler();
  request(small, 0, 10_000, MINUTE);
  expect(expiresIn(0)).toEqual([MINUTE]);
  expect(expiresIn(5_000)).toEqual([MINUTE]);
  expect(expiresIn(30_000)).toEqual([40_000]);
});

test('the expiry is in the past while a later request runs longer than the keep-alive', () => {
  const { request, expiresIn, loaded } = scheduler();
  request(small, 0, 1_000, MINUTE);
  request(small, 2_000, 10 * MINUTE, MINUTE);
  expect(expiresIn(5 * MINUTE)).toEqual([61_000 - 5 * MINUTE]);
  expect(loaded(5 * MINUTE)).toEqual([['small', 6]]);
});

test('a stopped model is unloaded at once if idle, and expires immediately if busy', () => {
  const { gpu, request, loaded, expiresIn } = scheduler();
  request(small, 0);
  gpu.stop('small', START + 2_000);
  expect(loaded(2_000)).toEqual([]);

  request(small, 3_000, 10_000);
  gpu.stop('small', START + 4_000);
  expect(expiresIn(5_000)).toEqual([-1_000]);
  expect(loaded(13_000)).toEqual([]);
});

test('a pinned model expires in 292 years', () => {
  const { request, gpu } = scheduler();
  request(small, 0, 0, Number.POSITIVE_INFINITY);
  const [row] = gpu.loaded(START);
  expect(new Date(row?.expiresAtMs ?? 0).getUTCFullYear()).toBe(2318);
});

describe('when VRAM runs out', () => {
  test('idle models are evicted, shortest keep-alive first', () => {
    const { request, loaded } = scheduler();
    request(small, 0, 1_000, 2 * MINUTE);
    request(medium, 0, 1_000, 3 * MINUTE);
    request(model('other', 10), 5_000, 1_000, 4 * MINUTE);
    expect(loaded(6_000)).toEqual([
      ['other', 10],
      ['medium', 12],
    ]);
  });

  test('a model that does not fit spills into RAM', () => {
    const { request, loaded } = scheduler();
    request(small, 0, 1_000, Number.POSITIVE_INFINITY);
    request(large, 2_000);
    expect(loaded(2_000)).toEqual([
      ['small', 6],
      ['large', 18],
    ]);
  });

  test('busy models are not evicted', () => {
    const { request, loaded } = scheduler();
    request(medium, 0, MINUTE);
    request(large, 1_000);
    expect(loaded(1_000)).toContainEqual(['medium', 12]);
    expect(loaded(1_000)).toContainEqual(['large', 12]);
  });
});

test('the list is sorted by expiry, latest first', () => {
  const { request, loaded } = scheduler();
  request(small, 0, 1_000, MINUTE);
  request(medium, 0, 1_000, 2 * MINUTE);
  expect(loaded(2_000).map(([name]) => name)).toEqual(['medium', 'small']);
});
