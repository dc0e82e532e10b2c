import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hashSync } from 'bcryptjs';
import { expect, test } from 'vitest';

const BUILT = fileURLToPath(new URL('../../dist/web/bcrypt-thread.js', import.meta.url));
const HASH = hashSync('alice123', 12);

/** Runs a program with the built thread, and returns what it prints. */
async function run(program: string): Promise<unknown> {
  const script = `import { bcryptThread } from ${JSON.stringify(BUILT)};\n${program}`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  return JSON.parse(stdout);
}

test('the built thread tells right from wrong, and does not keep the process alive', async () => {
  const answers = await run(`
    const { compare } = bcryptThread();
    const hash = ${JSON.stringify(HASH)};
    const alive = setInterval(() => {}, 1000);
    const answers = await Promise.all([compare('alice123', hash), compare('x', hash)]);
    clearInterval(alive);
    console.log(JSON.stringify(answers));`);
  expect(answers).toEqual([true, false]);
});

test('the event loop goes on while a password is checked', async () => {
  const [longestPauseMs, tookMs] = Object.values(
    Object(
      await run(`
    const { compare } = bcryptThread();
    let [last, longest] = [performance.now(), 0];
    const tick = setInterval(() => {
      const now = performance.now();
      [last, longest] = [now, Math.max(longest, now - last)];
    }, 1);
    await compare('warm', ${JSON.stringify(HASH.replace('$12$', '$04$'))});
    longest = 0;
    const start = performance.now();
    await compare('x', ${JSON.stringify(HASH)});
    clearInterval(tick);
    console.log(JSON.stringify([longest, performance.now() - start]));`),
    ),
  ).map(Number);
  expect(longestPauseMs).toBeLessThan(Number(tookMs) / 2);
});
