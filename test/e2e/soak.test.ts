import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

const SECONDS = 30;
/** One of the seeds with which each fault occurs once in this time. */
const SEED = 1;
const FAULTS = 10;

/** Lower rates than by default, as other tests run at the same time. */
const OPTIONS = ['--seconds', SECONDS, '--seed', SEED, '--steady', 20, '--storm', 500].map(String);

test('under faults, bursts and misbehaving clients, responses are correct and on time, and memory use does not grow', async () => {
  // Without presoak: dist/ is already built, and in use.
  const child = spawn('npm', ['run', '--ignore-scripts', 'soak', '--', ...OPTIONS]);
  const output = await text(child.stdout);
  expect(output).toMatch(/^passed$/m);
  const [, faults = ''] = /^faults: (.*)$/m.exec(output) ?? [];
  expect(faults.split('; '), output).toHaveLength(FAULTS);
});
