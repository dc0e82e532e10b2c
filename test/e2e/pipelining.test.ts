/** Clients that send requests and read no responses, against a process with 256 MiB of heap. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FakeOllama, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';
import { type RunningExporter, startExporterProcess } from './exporter-process.ts';

const HEAP = { NODE_OPTIONS: '--max-old-space-size=256' };

let ollama: FakeOllama;
let exporter: RunningExporter;

beforeAll(async () => {
  ollama = await startFakeOllama({ ps: json('{"models":[]}'), version: json(VERSION_BODY) });
  exporter = await startExporterProcess([`--ollama.url=${ollama.url.href}`], HEAP);
});

afterAll(() => ollama.close());

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;

async function open({ url }: RunningExporter): Promise<Socket> {
  const socket = connect(Number(url.port), url.hostname).on('error', () => {});
  await once(socket, 'connect');
  return socket.pause();
}

/** Data must be read for the end of a connection to be detected. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve()).resume();
  });
}

async function expectGoodScrape({ url, child }: RunningExporter): Promise<void> {
  const start = performance.now();
  const { body } = await request(new URL('/metrics', url));
  expect(await body.text()).toContain('\nollama_up 1\n');
  expect(performance.now() - start).toBeLessThan(2_000);
  expect(child.exitCode).toBeNull();
}

test.each(['/', '/metrics', '/config', '/nowhere'])(
  'the exporter survives 2,000 pipelined requests for %s on each of 10 connections',
  async (path) => {
    const sockets = await Promise.all(Array.from({ length: 10 }, () => open(exporter)));
    for (const socket of sockets) {
      socket.write(get(path).repeat(2_000));
    }
    // Data must be read for the end of a connection to be detected.
    await Promise.all(sockets.map(closed));
    await expectGoodScrape(exporter);
  },
);

test('the exporter survives 2.3 MB of pipelined requests while Ollama hangs', async () => {
  const hanging = await startFakeOllama({ ps: () => {}, version: () => {} });
  const waiting = await startExporterProcess([`--ollama.url=${hanging.url.href}`], HEAP);
  const socket = await open(waiting);
  socket.write(get('/metrics').repeat(65_000));
  await closed(socket);
  const start = performance.now();
  await (await request(new URL('/-/healthy', waiting.url))).body.text();
  expect(performance.now() - start).toBeLessThan(1_000);
  await hanging.close();
});

test('eight pipelined requests are answered', async () => {
  const socket = await open(exporter);
  socket.write(get('/-/healthy').repeat(8));
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  socket.resume();
  await expect.poll(() => text.match(/Healthy\n/g)?.length).toBe(8);
  socket.destroy();
});

test('a client that reads nothing for 30 s is disconnected, and a slow client is not', async () => {
  const rows = Array.from({ length: 2_000 }, (_, n) => ({
    model: `m${n}`.padEnd(200, 'x'),
    size: 1,
    size_vram: 1,
  }));
  const large = await startFakeOllama({
    ps: json(JSON.stringify({ models: rows })),
    version: json(VERSION_BODY),
  });
  const sending = await startExporterProcess([`--ollama.url=${large.url.href}`], HEAP);
  const stalled = await open(sending);
  stalled.write(get('/metrics').repeat(8));
  const slow = await open(sending);
  slow.write(get('/metrics').repeat(8));
  const reading = setInterval(() => slow.read(65_536), 250);
  const cut = async (socket: Socket) => {
    await expect.poll(() => openTo(sending, socket), { timeout: 60_000, interval: 1_000 }).toBe(false);
  };
  const start = performance.now();
  await cut(stalled);
  expect(performance.now() - start).toBeGreaterThan(10_000);
  expect(await openTo(sending, slow)).toBe(true);
  clearInterval(reading);
  stalled.destroy();
  slow.destroy();
  await large.close();
});

/** Whether the exporter still has its end of the connection; the client's end does not show it while unread. */
async function openTo({ child }: RunningExporter, { localPort }: Socket): Promise<boolean> {
  const table = await readFile(`/proc/${child.pid}/net/tcp`, 'utf8');
  const peer = `:${localPort?.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/));
  return rows.some(([, , remote = '', state]) => remote.endsWith(peer) && state === ESTABLISHED);
}

/** tcp_states.h of Linux. */
const ESTABLISHED = '01';
