import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../free-port.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Each is a line of 400 bytes: twice the capacity of a pipe. */
const FAILED = 320;
const LONG_PATH = 'x'.repeat(200);
/** Makes each failed probe one line. */
const CONFIG = 'modules: { default: { allow: ["127.0.0.0/8"], collectors: [version] } }';

/** With `pipe`, a spawned process gets a socket. */
function realPipe(): { readonly from: number; readonly to: number } {
  const folder = mkdtempSync(join(tmpdir(), 'log-'));
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const from = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const to = openSync(fifo, 'w');
  rmSync(folder, { recursive: true });
  onTestFinished(() => closeSync(from));
  return { from, to };
}

/** Everything that is currently readable. */
function readAvailable(fd: number): string {
  const chunk = Buffer.alloc(4_096);
  let text = '';
  for (;;) {
    try {
      const bytes = readSync(fd, chunk);
      if (bytes === 0) {
        return text;
      }
      text += chunk.toString('utf8', 0, bytes);
    } catch {
      return text;
    }
  }
}

test('a log reader that stops reading blocks neither scrapes nor shutdown, and the number of lost lines is logged', async () => {
  const port = await freePort();
  const { from, to } = realPipe();
  const folder = mkdtempSync(join(tmpdir(), 'log-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const config = join(folder, 'config.yml');
  writeFileSync(config, CONFIG);
  const options = [`--web.listen-address=127.0.0.1:${port}`, `--config.file=${config}`, '--log.level=debug'];
  const args = [MAIN, '--demo', ...options];
  const child = spawn(process.execPath, args, { env: {}, stdio: ['ignore', 'ignore', to] });
  onTestFinished(() => void child.kill('SIGKILL'));
  closeSync(to);
  const statusOf = async (path: string) =>
    (await fetch(new URL(path, `http://127.0.0.1:${port}`)).catch(() => undefined))?.status;
  await expect.poll(() => statusOf('/-/ready'), { timeout: 15_000 }).toBe(200);
  // Logs that Ollama is up.
  expect(await statusOf('/metrics')).toBe(200);

  for (let count = 0; count < FAILED; count += 1) {
    expect(await statusOf(`/probe?target=127.0.0.1:1/${count}/${LONG_PATH}`)).toBe(200);
  }
  expect(await statusOf('/metrics')).toBe(200);

  const kept = [...readAvailable(from).matchAll(/ target=http:\/\/127\.0\.0\.1:1\/(\d+)\/x+ .*\n/g)].map(
    ([, n]) => Number(n),
  );
  expect(kept).toEqual(kept.map((_, index) => index));
  expect(kept.length).toBeGreaterThan(10);
  expect(kept.length).toBeLessThan(FAILED);
  await statusOf('/probe?target=127.0.0.1:1/again');
  const [lostLinesText, next] = readAvailable(from).split('\n');
  expect(lostLinesText).toMatch(/^time=\S+ level=WARN msg="Log lines were lost before this one" lines=\d+$/);
  expect(lostLinesText).toContain(`lines=${FAILED - kept.length}`);
  expect(next).toContain('target=http://127.0.0.1:1/again');

  for (let count = 0; count < FAILED; count += 1) {
    await statusOf(`/probe?target=127.0.0.1:1/${count}/${LONG_PATH}`);
  }
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});
