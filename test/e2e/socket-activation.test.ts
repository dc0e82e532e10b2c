/** Open sockets, passed as by systemd. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { parseExposition, sampleValue } from '../exposition.ts';
import { UNIT } from '../systemd.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Node.js has no public way to get its file descriptor. */
function fdOf(server: Server): number {
  const handle: unknown = Reflect.get(server, '_handle');
  return typeof handle === 'object' && handle !== null && 'fd' in handle ? Number(handle.fd) : -1;
}

async function open(where: { readonly port: number; readonly host: string } | { readonly path: string }) {
  const server = createServer();
  await once(server.listen(where), 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return { fd: fdOf(server), port: typeof address === 'object' ? (address?.port ?? 0) : 0, server };
}

/** LISTEN_PID is the process that the shell execs. */
function activate(fds: readonly number[], args: readonly string[] = ['--web.systemd-socket']) {
  const child: ChildProcess = spawn(
    '/bin/sh',
    ['-c', 'LISTEN_PID=$$ exec "$0" "$@"', process.execPath, MAIN, '--ollama.url=none', ...args],
    { env: { LISTEN_FDS: String(fds.length) }, stdio: ['ignore', 'ignore', 'pipe', ...fds] },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  let log = '';
  child.stderr?.on('data', (chunk) => {
    log += chunk;
  });
  const finished = once(child, 'close').then(([code]) => ({ code, log }));
  return { child, log: () => log, finished };
}

test('the exporter listens on all inherited sockets and no other address, and shuts down gracefully', async () => {
  const first = await open({ port: 0, host: '127.0.0.1' });
  const second = await open({ port: 0, host: '127.0.0.1' });
  const { child, log, finished } = activate([first.fd, second.fd]);
  await expect.poll(() => log().match(/msg=Listening/g), { timeout: 15_000 }).toHaveLength(2);
  expect([...log().matchAll(/msg=Listening address=(\S+)/g)].map(([, address]) => address)).toEqual(
    [first, second].map(({ port }) => `127.0.0.1:${port}`),
  );
  // Otherwise this process would accept some of the connections.
  first.server.close();
  second.server.close();
  for (const { port } of [first, second]) {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/metrics`);
    expect(statusCode).toBe(200);
    expect(sampleValue(parseExposition(await body.text()), 'ollama_exporter_build_info')).toBe(1);
  }
  child.kill('SIGTERM');
  expect((await finished).code).toBe(0);
});

test('inherited sockets are ignored without --web.systemd-socket', async () => {
  const { fd, port } = await open({ port: 0, host: '127.0.0.1' });
  const { log } = activate([fd], ['--web.listen-address=127.0.0.1:0']);
  await expect.poll(log, { timeout: 15_000 }).toContain('msg=Listening');
  expect(log()).not.toContain(`:${port}`);
});

test('an inherited socket that is not TCP, or a file, is an error', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sockets-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const unix = await open({ path: join(folder, 's.sock') });
  const file = openSync(join(folder, 'file'), 'w');
  onTestFinished(() => closeSync(file));
  for (const fd of [unix.fd, file]) {
    const { code, log } = await activate([fd]).finished;
    expect(code).toBe(1);
    expect(log).toMatch(/err="could not listen on file descriptor 3 \(--web.systemd-socket\): /);
  }
});

const WITHOUT = spawnSync('systemd-analyze', ['--version']).error !== undefined;

test.skipIf(WITHOUT)('systemd-analyze accepts the socket unit and the drop-in', () => {
  const folder = mkdtempSync(join(tmpdir(), 'units-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const read = (name: string) =>
    readFileSync(new URL(`../../deploy/systemd/${name}`, import.meta.url), 'utf8');
  const unit = readFileSync(UNIT, 'utf8').replace(/^ExecStart=\S+/m, `ExecStart=${MAIN}`);
  writeFileSync(join(folder, 'ollama-exporter.service'), `${unit}\n${read('socket.conf')}`);
  writeFileSync(join(folder, 'ollama-exporter.socket'), read('ollama-exporter.socket'));
  const { status, stderr } = spawnSync(
    'systemd-analyze',
    ['verify', '--recursive-errors=no', 'ollama-exporter.socket', 'ollama-exporter.service'].map((word) =>
      word.startsWith('ollama') ? join(folder, word) : word,
    ),
    { encoding: 'utf8' },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
