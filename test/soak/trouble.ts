/** Makes trouble by seed, and writes down when. */

import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './clock.ts';
import type { Faults } from './faults.ts';
import type { Trouble } from './judge.ts';
import type { Random } from './random.ts';
import { schedule } from './schedule.ts';

export interface TroubleOptions {
  readonly faults: Faults;
  readonly random: Random;
  /** After which no fault begins. */
  readonly ms: number;
  /** Called every second with the seconds that are left and what is going on. */
  readonly onSecond: (left: number, fault: string) => void;
}

export async function makeTrouble({
  faults,
  random,
  ms,
  onSecond,
}: TroubleOptions): Promise<readonly Trouble[]> {
  const troubles: Trouble[] = [];
  const until = now() + ms;
  let going = 'calm';
  const ticker = setInterval(() => onSecond(Math.round((until - now()) / 1_000), going), 1_000);
  for (const { fault, calmMs, faultMs, variant } of schedule(random, Object.keys(faults))) {
    const spec = faults[fault];
    const lastMs = spec?.seconds === undefined ? faultMs : spec.seconds * 1_000;
    if (spec === undefined || now() + calmMs + lastMs > until) {
      break;
    }
    await sleep(calmMs);
    going = fault;
    const start = now();
    await spec.begin(variant);
    await sleep(lastMs);
    await spec.end();
    troubles.push({ fault, befalls: spec.befalls, start, end: now() });
    going = 'calm';
  }
  await sleep(until - now());
  clearInterval(ticker);
  return troubles;
}
