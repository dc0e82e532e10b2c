import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hashSync } from 'bcryptjs';
import { transformWithEsbuild } from 'vite';
import { expect, onTestFinished, test } from 'vitest';
import { bcryptThread } from '../../src/web/bcrypt.ts';

const WEB = new URL('../../src/web/', import.meta.url);

/** A thread that treats equal texts as a match, and exits for some passwords. */
const WORKER = `
  import { parentPort } from 'node:worker_threads';
  parentPort.on('message', ({ password, hash }) => {
    if (password === 'throw') throw new Error('thrown');
    if (password === 'exit') process.exit(1);
    parentPort.postMessage(password === hash);
  });`;

function start(worker?: string) {
  const thread = bcryptThread(
    worker === undefined ? undefined : new URL(`data:text/javascript,${encodeURIComponent(worker)}`),
  );
  onTestFinished(thread.close);
  return thread;
}

test('comparing a password does not block the event loop', async () => {
  const { compare } = start();
  expect(await compare('warm', hashSync('warm', 4))).toBe(true);
  let [last, longestPauseMs] = [performance.now(), 0];
  const measure = () => {
    const now = performance.now();
    longestPauseMs = Math.max(longestPauseMs, now - last);
    last = now;
  };
  const timer = setInterval(measure, 1);
  const before = performance.now();
  expect(await compare('y', `$2b$13${hashSync('x', 4).slice(6)}`)).toBe(false);
  clearInterval(timer);
  measure();
  expect(longestPauseMs).toBeLessThan((performance.now() - before) / 2);
});

test('the thread does not keep the process alive', async () => {
  const source = readFileSync(new URL('bcrypt.ts', WEB), 'utf8');
  const { code } = await transformWithEsbuild(source, 'bcrypt.ts');
  const worker = JSON.stringify(fileURLToPath(new URL('bcrypt-worker.js', WEB)));
  const program = `${code}
    import { pathToFileURL } from 'node:url';
    const { compare } = bcryptThread(pathToFileURL(${worker}));
    const alive = setInterval(() => {}, 1_000);
    console.log(await compare('x', ${JSON.stringify(hashSync('x', 4))}));
    clearInterval(alive);`;
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    timeout: 10_000,
  });
  expect((await run).stdout).toBe('true\n');
});

test('each comparison gets its own result', async () => {
  const { compare } = start(WORKER);
  const pairs = ['a/a', 'a/b', 'b/b', 'c/b'].map((pair) => pair.split('/'));
  const results = await Promise.all(pairs.map(([password = '', hash = '']) => compare(password, hash)));
  expect(results).toEqual([true, false, true, false]);
});

test.each(['throw', 'exit'])(
  'if the thread ends (%s), pending comparisons are rejected, and a new thread starts',
  async (how) => {
    const { compare } = start(WORKER);
    const results = await Promise.allSettled([compare('a', 'a'), compare(how, 'x'), compare('b', 'b')]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(await compare('a', 'a')).toBe(true);
  },
);

test('if the thread is closed, pending comparisons are rejected', async () => {
  const { compare, close } = start(WORKER);
  await expect(close()).resolves.toBeUndefined();
  const rejection = expect(compare('a', 'a')).rejects.toThrow('the thread that checks passwords exited');
  await close();
  await rejection;
});
