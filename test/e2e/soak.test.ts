import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { soak } from '../soak/soak.ts';

const FOLDER = fileURLToPath(new URL('../soak/', import.meta.url));

/** Of those in whose first minute each fault comes once. */
const SEED = 1;

/** Lower rates than those of `npm run soak`, as other tests run beside it. */
const OPTIONS = { seconds: 60, seed: SEED, steady: 20, storm: 500, oneRead: true };

test('a minute of faults, storms and rude clients leaves it calm, with true answers in time', async () => {
  const { violations, faults, text } = await soak(OPTIONS, FOLDER);
  expect(violations, text).toEqual([]);
  expect(new Set(faults).size, text).toBe(13);
});
