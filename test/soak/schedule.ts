/** Which fault comes when, by seed. */
import { between, type Random, shuffled } from './random.ts';

export interface Turn {
  readonly fault: string;
  /** Of calm before it. */
  readonly calmMs: number;
  readonly faultMs: number;
  readonly variant: number;
}

const CALM_MS = [800, 2_000] as const;
/** Shorter and longer than the time that a scrape has. */
const FAULT_MS = [300, 4_000] as const;

/** Endless. All faults come once before any comes again. */
export function* schedule(random: Random, faults: readonly string[]): Generator<Turn, never> {
  for (;;) {
    for (const fault of shuffled(random, faults)) {
      yield {
        fault,
        calmMs: between(random, ...CALM_MS),
        faultMs: between(random, ...FAULT_MS),
        variant: Math.floor(random() * 1_000),
      };
    }
  }
}
