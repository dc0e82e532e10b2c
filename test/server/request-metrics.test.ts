import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashSync } from 'bcryptjs';
import { request } from 'undici';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { type InProcessExporter, type InProcessOptions, startInProcess } from '../exporter-in-process.ts';
import { type Exposition, parseExposition, sampleValue } from '../exposition.ts';
import { json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

const exporters: InProcessExporter[] = [];
afterEach(async () => {
  await Promise.all(exporters.splice(0).map(({ close }) => close()));
});

async function start(options: InProcessOptions = {}, url = new URL('http://127.0.0.1:1')) {
  const exporter = await startInProcess(url, { disableExporterMetrics: false, ...options });
  exporters.push(exporter);
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const { statusCode, body } = await request(new URL(path, exporter.url), { headers });
    const text = await body.text();
    return { statusCode, text };
  };
  return { ...exporter, get };
}

const total = (exposition: Exposition, handler: string, code: string) =>
  sampleValue(exposition, 'ollama_exporter_http_requests_total', { handler, code });
const inFlight = (exposition: Exposition, handler: string) =>
  sampleValue(exposition, 'ollama_exporter_http_requests_in_flight', { handler });

test('common requests are counted from 0, and the scrape itself is in flight', async () => {
  const exposition = await (await start()).scrape();
  for (const [handler, code] of [
    ['metrics', '200'],
    ['metrics', '503'],
    ['probe', '403'],
    ['page', '200'],
    ['status', '200'],
    ['other', '404'],
  ] as const) {
    expect(total(exposition, handler, code), `${handler} ${code}`).toBe(0);
  }
  const handlers = ['metrics', 'probe', 'page', 'status', 'other'];
  expect(handlers.map((handler) => inFlight(exposition, handler))).toEqual([1, 0, 0, 0, 0]);
});

test.each([
  ['/metrics', 'metrics', '200'],
  ['/metrics?x=/probe', 'metrics', '200'],
  ['/probe?target=a', 'probe', '403'],
  ['/probe', 'probe', '400'],
  ['/', 'page', '200'],
  ['/?target=a', 'page', '403'],
  ['/api/status', 'status', '200'],
  ['/-/healthy', 'other', '200'],
  ['/nothing', 'other', '404'],
  [`/${'a'.repeat(5_000)}`, 'other', '414'],
])('GET %s is counted for handler %s with code %s', async (path, handler, code) => {
  const exporter = await start();
  await exporter.get(path);
  expect(total(await exporter.scrape(), handler, code)).toBe(1);
});

test('the handler metrics follows --web.telemetry-path', async () => {
  const { get } = await start({ telemetryPath: '/' });
  await get('/');
  expect(total(parseExposition((await get('/')).text), 'metrics', '200')).toBe(1);
});

test('a request over --web.max-requests is counted with 503', async () => {
  const hanging = await startFakeOllama({ ps: () => {}, version: () => {} });
  onTestFinished(() => hanging.close());
  const configYaml = 'modules: { other: { allow: ["127.0.0.1"] } }';
  const { get } = await start({ maxRequests: 1, timeoutMs: 1_000, configYaml }, hanging.url);
  const requestArrived = once(hanging.server, 'request');
  const first = get('/metrics');
  await requestArrived;
  const { statusCode } = await get('/?target=127.0.0.1:1&module=other');
  expect(statusCode).toBe(503);
  await first;
  expect(total(parseExposition((await get('/metrics')).text), 'page', '503')).toBe(1);
});

test('a client that disconnects before the response is counted with 499, and is no longer in flight', async () => {
  const hanging = await startFakeOllama({ ps: () => {}, version: () => {} });
  onTestFinished(() => hanging.close());
  const { url, scrape } = await start({ configYaml: 'modules: { default: { allow: ["127.0.0.1"] } }' });
  const socket = connect(Number(url.port), url.hostname);
  const requestArrived = once(hanging.server, 'request');
  socket.write(`GET /probe?target=${hanging.url.host} HTTP/1.1\r\nhost: x\r\n\r\n`);
  await requestArrived;
  expect(inFlight(await scrape(), 'probe')).toBe(1);
  socket.destroy();
  await expect.poll(async () => total(await scrape(), 'probe', '499')).toBe(1);
  expect(inFlight(await scrape(), 'probe')).toBe(0);
});

test('unauthenticated requests are counted, also with Expect: 100-continue', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'request-metrics-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'web.yml');
  writeFileSync(file, `basic_auth_users: { p: "${hashSync('secret', 4)}" }`);
  const ollama = await startFakeOllama({ ps: json('{"models":[]}'), version: json(VERSION_BODY) });
  onTestFinished(() => ollama.close());
  const { url, get } = await start({ webConfigFile: file }, ollama.url);
  await get('/metrics');
  const socket = connect(Number(url.port), url.hostname);
  socket.write('GET /metrics HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n');
  await once(socket.resume(), 'close');
  const authorization = `Basic ${Buffer.from('p:secret').toString('base64')}`;
  const exposition = parseExposition((await get('/metrics', { authorization })).text);
  expect(total(exposition, 'metrics', '401')).toBe(2);
});
