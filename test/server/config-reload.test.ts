import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from '../../src/log/log.ts';
import { loadModules } from '../../src/targets/modules.ts';
import { type InProcessExporter, startInProcess } from '../exporter-in-process.ts';
import { type FakeOllama, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

let ollama: FakeOllama;
let exporter: InProcessExporter;
let lines: string[];

beforeEach(async () => {
  ollama = await startFakeOllama({ ps: json('{"models":[]}'), version: json(VERSION_BODY) });
  lines = [];
  const log = createLogger({ logLevel: 'info', logFormat: 'logfmt' }, { write: (line) => lines.push(line) });
  exporter = await startInProcess(ollama.url, { configYaml: OPEN, timeoutMs: 500, log });
  lines = [];
});

afterEach(async () => {
  await exporter.close();
  await ollama.close();
});

const OPEN = 'modules: { default: { allow: ["127.0.0.0/8"] } }';
const CLOSED = 'modules: { default: { allow: ["10.0.0.0/8"] } }';

async function requestPath(path: string, method: 'GET' | 'POST' | 'PUT' = 'GET') {
  const { statusCode, body } = await request(new URL(path, exporter.url), { method });
  return { status: statusCode, text: await body.text() };
}

async function probe(): Promise<number> {
  return (await requestPath(`/probe?target=${ollama.url.host}`)).status;
}

test.each(['POST', 'PUT'] as const)('%s /-/reload activates a changed file', async (method) => {
  expect(await probe()).toBe(200);
  exporter.writeConfig(CLOSED);
  expect(await probe()).toBe(200);
  expect(await requestPath('/-/reload', method)).toEqual({ status: 200, text: 'Reloaded\n' });
  expect(await probe()).toBe(403);
  expect(lines.join('')).toContain('level=INFO msg="Reloaded the configuration file"');
});

test('GET /-/reload returns 405 and changes nothing', async () => {
  exporter.writeConfig(CLOSED);
  expect(await requestPath('/-/reload')).toEqual({
    status: 405,
    text: 'This endpoint requires a POST request.\n',
  });
  expect(await probe()).toBe(200);
});

test('an invalid file is reported and logged, and the old one stays active', async () => {
  exporter.writeConfig('modules:\n  default:\n    timeot: 5s\n');
  const { status, text } = await requestPath('/-/reload', 'POST');
  expect(status).toBe(500);
  expect(text).toMatch(/^failed to reload config: .*config.yml:3: modules.default.timeot: unknown key/);
  expect(lines).toEqual([
    expect.stringMatching(
      /level=ERROR msg="Could not reload the configuration file, the old one stays active" file=\S+ err="\S+config.yml:3: modules.default.timeot: unknown key/,
    ),
  ]);
  expect(await probe()).toBe(200);
  expect((await requestPath('/config')).text).toContain('127.0.0.0/8');
});

test('a running scrape finishes with the old module', async () => {
  let respond = () => {};
  const underWay = new Promise<void>((resolve) => {
    ollama.server.prependOnceListener('request', (_request, response) => {
      const end = response.end.bind(response);
      response.end = (body: unknown) => {
        respond = () => void end(body);
        resolve();
        return response;
      };
    });
  });
  const slow = probe();
  await underWay;
  exporter.writeConfig(CLOSED);
  await requestPath('/-/reload', 'POST');
  respond();
  expect(await slow).toBe(200);
  await expect.poll(() => ollama.connections.size, { timeout: 15_000 }).toBe(0);
});

test('a reload with another configuration closes connections to targets', async () => {
  await probe();
  expect(ollama.connections.size).toBe(2);
  exporter.writeConfig(`${OPEN} # another file`);
  await requestPath('/-/reload', 'POST');
  await expect.poll(() => ollama.connections.size, { timeout: 15_000 }).toBe(0);
});

describe('for frequent reloads,', () => {
  test('connections are kept if the file has not changed', async () => {
    await probe();
    const connections = [...ollama.connections];
    await Promise.all(Array.from({ length: 50 }, () => requestPath('/-/reload', 'POST')));
    await probe();
    expect([...ollama.connections]).toEqual(connections);
  });

  test('repeated outcomes are logged once', async () => {
    await Promise.all(Array.from({ length: 50 }, () => requestPath('/-/reload', 'POST')));
    expect(lines).toHaveLength(1);
    exporter.writeConfig('modules: { default: [] }');
    await Promise.all(Array.from({ length: 50 }, () => requestPath('/-/reload', 'POST')));
    expect(lines.filter((line) => line.includes('level=ERROR'))).toHaveLength(1);
  });

  test('each reload reads the file after its request', async () => {
    const before = [requestPath('/-/reload', 'POST'), requestPath('/-/reload', 'POST')];
    exporter.writeConfig(CLOSED);
    await requestPath('/-/reload', 'POST');
    expect(await probe()).toBe(403);
    await Promise.all(before);
  });
});

test('/config returns the active configuration as text', async () => {
  exporter.writeConfig('modules: { default: { basic_auth: { username: u, password: s3cret } } }');
  expect((await requestPath('/config')).text).toBe('modules:\n  default:\n    allow:\n      - 127.0.0.0/8\n');
  await requestPath('/-/reload', 'POST');
  expect((await requestPath('/config')).text).toBe(
    'modules:\n  default:\n    basic_auth:\n      username: u\n      password: <secret>\n',
  );
});

describe('without --config.file', () => {
  test('/-/reload fails, and /config is empty', async () => {
    const bare = await startInProcess(ollama.url);
    const reload = await request(new URL('/-/reload', bare.url), { method: 'POST' });
    expect(reload.statusCode).toBe(500);
    expect(await reload.body.text()).toBe(
      'failed to reload config: there is nothing to reload: the exporter was started without --config.file\n',
    );
    expect(await (await request(new URL('/config', bare.url))).body.text()).toBe('modules: {}\n');
    await bare.close();
  });
});

test('startup fails with an invalid file', async () => {
  const log = createLogger({ logLevel: 'error', logFormat: 'logfmt' }, { write: () => {} });
  await expect(loadModules('/nonexistent/ollama.yml', 1_000, log)).rejects.toThrow(
    "/nonexistent/ollama.yml: can't be read: ENOENT",
  );
});
