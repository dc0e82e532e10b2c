/** Which faults occur when. The same seed gives the same schedule. */
import { randomNumbers } from '../../src/demo/workload.ts';

export interface Step<F> {
  readonly afterMs: number;
  readonly fault: F;
  readonly begins: boolean;
  /** Any number: which variant of the fault. */
  readonly variant: number;
}

const CALM_MS = [500, 1_000] as const;
const ALONE_MS = [200, 1_000] as const;
/** Shorter and longer than the timeout of a scrape. */
const TOGETHER_MS = [200, 3_500] as const;

/** Endless turns of two faults that overlap. Every fault occurs once before any occurs again. */
export function* turns<F>(seed: number, faults: readonly F[]): Generator<readonly Step<F>[], never> {
  const random = randomNumbers(seed);
  const between = ([low, high]: readonly [number, number]) => low + random() * (high - low);
  const variant = () => Math.floor(random() * 1_000);
  for (;;) {
    const deck = shuffled(random, faults);
    for (let index = 0; index + 1 < deck.length; index += 2) {
      const pair = deck.slice(index, index + 2);
      const begins = pair.map((fault) => ({ fault, begins: true, variant: variant() }));
      const ends = shuffled(random, begins).map((step) => ({ ...step, begins: false }));
      const waits = [CALM_MS, ALONE_MS, TOGETHER_MS, ALONE_MS];
      yield [...begins, ...ends].map((step, at) => ({ ...step, afterMs: between(waits[at] ?? CALM_MS) }));
    }
  }
}

function shuffled<T>(random: () => number, items: readonly T[]): readonly T[] {
  return items
    .map((item) => ({ item, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}
