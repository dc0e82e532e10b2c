import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hashSync } from 'bcryptjs';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';

const WEB = fileURLToPath(new URL('../../src/web', import.meta.url));
const BUILT = mkdtempSync(join(tmpdir(), 'bcrypt-thread-'));
const HASH = hashSync('alice123', 12);

beforeAll(async () => {
  writeFileSync(join(BUILT, 'package.json'), '{"type":"module"}');
  const entryPoints = ['bcrypt-thread', 'bcrypt-worker'].map((name) => join(WEB, `${name}.ts`));
  await build({
    entryPoints,
    outdir: BUILT,
    bundle: true,
    format: 'esm',
    platform: 'node',
    logLevel: 'error',
  });
});
afterAll(() => rmSync(BUILT, { recursive: true }));

/** Runs a program with the built thread, and returns what it prints. */
async function run(program: string): Promise<unknown> {
  const script = `import { bcryptThread } from ${JSON.stringify(join(BUILT, 'bcrypt-thread.js'))};\n${program}`;
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
