/** Hostile clients: the exporter survives with 256 MiB of heap, and serves other clients. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FakeOllama, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';
import { type RunningExporter, startExporterProcess } from './exporter-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'hostile-client-'));
const agent = new Agent({ connections: 20 });
let ollama: FakeOllama;

beforeAll(async () => {
  ollama = await startFakeOllama({ ps: json('{"models":[]}'), version: json(VERSION_BODY) });
});

afterAll(async () => {
  await agent.close();
  await ollama.close();
  rmSync(folder, { recursive: true });
});

async function start(config: string): Promise<RunningExporter> {
  const file = join(folder, 'modules.yml');
  writeFileSync(file, config);
  return await startExporterProcess([`--ollama.url=${ollama.url.href}`, `--config.file=${file}`], {
    NODE_OPTIONS: '--max-old-space-size=256',
  });
}

async function statusOf(
  { url }: RunningExporter,
  path: string,
  options: Partial<Parameters<typeof request>[1]> = {},
): Promise<number> {
  const { statusCode, body } = await request(new URL(path, url), options);
  await body.dump();
  return statusCode;
}

const all = <T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));

test('the exporter survives a hundred concurrent requests for a fleet of 6,000 targets, as JSON and as page', async () => {
  const exporter = await start('modules: { default: { allow: ["127.0.0.0/8"] } }');
  // As many names as in a fleet.
  await all(6_000, (index) =>
    statusOf(exporter, `/probe?target=${ollama.url.host}/${index}`, { dispatcher: agent }),
  );
  for (const path of ['/api/fleet', '/?fleet-sort=-age']) {
    const statuses = await all(100, () =>
      statusOf(exporter, path, { headers: { 'accept-encoding': 'gzip' } }).catch(() => 0),
    );
    expect(new Set(statuses)).toEqual(new Set([200, ...statuses.filter((status) => status === 503)]));
  }
  expect(await statusOf(exporter, '/metrics')).toBe(200);
  expect(exporter.child.exitCode).toBeNull();
});

test('the exporter survives 200 concurrent reloads of a file with a thousand modules', async () => {
  const modules = Array.from(
    { length: 1_000 },
    (_, index) =>
      `  m${index}: { allow: [10.0.0.0/8], timeout: 60s, basic_auth: { username: a, password: b } }\n`,
  );
  const exporter = await start(`modules:\n${modules.join('')}`);
  const reloads = all(200, () => statusOf(exporter, '/-/reload', { method: 'POST' }));
  expect(await statusOf(exporter, '/metrics')).toBe(200);
  expect(new Set(await reloads)).toEqual(new Set([200]));
  expect(exporter.child.exitCode).toBeNull();
});

test('2,000 idle connections are closed for new ones', async () => {
  const exporter = await start('modules: {}');
  const { port } = exporter.url;
  const sockets = await all(2_000, async (index): Promise<Socket> => {
    const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
    socket.write(`GET /-/healthy HTTP/1.1\r\nhost: ${index}\r\n\r\n`);
    await once(socket, 'data');
    return socket;
  });
  // The first one is dropped, and makes room.
  await statusOf(exporter, '/-/healthy').catch(() => {});
  expect(await statusOf(exporter, '/-/healthy')).toBe(200);
  for (const socket of sockets) {
    socket.destroy();
  }
});
