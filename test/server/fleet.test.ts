import { readFileSync } from 'node:fs';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from '../../src/log/log.ts';
import { readCorpus } from '../corpus.ts';
import { type InProcessExporter, type InProcessOptions, startInProcess } from '../exporter-in-process.ts';
import { parseExposition } from '../exposition.ts';
import { type FakeOllama, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

const configYaml = 'modules: { default: { allow: ["127.0.0.0/8"], vram_capacity: 24GiB } }';

let ollama: FakeOllama;
const exporters: InProcessExporter[] = [];

beforeEach(async () => {
  ollama = await startFakeOllama({ ps: json(readCorpus('04-split.json')), version: json(VERSION_BODY) });
});

afterEach(async () => {
  await Promise.all(exporters.splice(0).map(({ close }) => close()));
  await ollama.close();
});

async function start(url: URL | undefined, options: InProcessOptions = {}) {
  const exporter = await startInProcess(url, { configYaml, ...options });
  exporters.push(exporter);
  return async (path: string) => {
    const { statusCode, headers, body } = await request(new URL(path, exporter.url));
    return { status: statusCode, type: headers['content-type'], text: await body.text() };
  };
}

describe('an exporter without --ollama.url', () => {
  test('exposes only its own metrics, and logs no outage', async () => {
    const lines: string[] = [];
    const log = createLogger(
      { logLevel: 'warn', logFormat: 'logfmt' },
      { write: (line) => lines.push(line) },
    );
    const get = await start(undefined, { log, disableExporterMetrics: false, vramCapacity: 'auto' });
    const { status, type, text } = await get('/metrics');
    expect({ status, type }).toEqual({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' });
    const names = [...parseExposition(text).keys()];
    expect(names).toContain('ollama_exporter_build_info');
    expect(names.filter((name) => !/^(ollama_exporter|process|nodejs)_/.test(name))).toEqual([]);
    expect(lines).toEqual([]);
  });

  test('exposes nothing if its own metrics are disabled', async () => {
    expect(await (await start(undefined))('/metrics')).toMatchObject({ status: 200, text: '' });
  });

  test('shows the fleet on its page, with a link to each server', async () => {
    const get = await start(undefined);
    expect((await get('/')).text).toContain('No server was probed in the last 10 minutes.');
    await get(`/probe?target=${ollama.url.host}`);
    await get('/probe?target=127.0.0.1:1&debug=true');
    const { status, type, text } = await get('/');
    expect({ status, type }).toEqual({ status: 200, type: 'text/html; charset=utf-8' });
    expect(text).toContain('Probed in the last 10 minutes: 1 up, 1 down.');
    expect(text).toContain('Down: refused');
    const [, link = ''] = /href="(\.\/\?target=[^"]*)">127\.0\.0\.1:\d{2,}</.exec(text) ?? [];
    expect((await get(link.replaceAll('&amp;', '&'))).text).toContain('gpt-oss:120b');
  });

  test('reports a missing target for /api/status', async () => {
    expect(await (await start(undefined))('/api/status')).toMatchObject({
      status: 400,
      text: 'Target parameter is missing: --ollama.url is none, see /api/fleet\n',
    });
  });
});

test('an exporter with --ollama.url and an allow list shows the fleet below its own server', async () => {
  const get = await start(ollama.url);
  await get('/probe?target=127.0.0.1:1');
  const { text } = await get('/?fleet-filter=refused');
  expect(text.indexOf('Down: refused')).toBeGreaterThan(text.indexOf('gpt-oss:120b'));
  expect(text).toMatch(/Down: refused.*<\/main>/s);
  expect((await get('/?target=127.0.0.1:1')).text).not.toContain('id="fleet"');
});

test('an exporter without an allow list shows no fleet', async () => {
  const get = await start(ollama.url, { configYaml: 'modules: {}' });
  expect((await get('/')).text).not.toContain('id="fleet"');
});

test('/api/fleet returns the table as JSON', async () => {
  const get = await start(undefined);
  await get(`/probe?target=${ollama.url.host}`);
  const { status, type, text } = await get('/api/fleet');
  expect({ status, type }).toEqual({ status: 200, type: 'application/json; charset=utf-8' });
  expect(JSON.parse(text)).toEqual({
    targets: [
      {
        target: ollama.url.href,
        module: 'default',
        state: 'up',
        reason: null,
        version: '0.33.0',
        loaded_models: 1,
        size_vram: expect.any(Number),
        vram_capacity: 24 * 1024 ** 3,
        vram_share: expect.any(Number),
        spilled_models: 1,
        probed_at: expect.stringMatching(/^\d{4}-/),
        age_seconds: expect.any(Number),
      },
    ],
  });
});

test('rejected targets and targets of disconnected scrapers are not in the fleet', async () => {
  const hanging = await startFakeOllama({ ps: () => {}, version: () => {} });
  const get = await start(undefined);
  expect((await get('/probe?target=10.0.0.1')).status).toBe(403);
  const requestArrived = new Promise((resolve) => hanging.server.once('request', resolve));
  const controller = new AbortController();
  const url = new URL(`/probe?target=${hanging.url.host}`, exporters[0]?.url);
  const scrape = request(url, { signal: controller.signal });
  await requestArrived;
  const cancelled = new Promise((resolve) => {
    for (const connection of hanging.connections) {
      connection.once('close', resolve);
    }
  });
  controller.abort();
  await expect(scrape).rejects.toThrow();
  await cancelled;
  expect(JSON.parse((await get('/api/fleet')).text)).toEqual({ targets: [] });
  await hanging.close();
});

test('every field of /api/fleet is documented', async () => {
  const page = readFileSync(new URL('../../docs/status.md', import.meta.url), 'utf8');
  const get = await start(undefined);
  await get('/probe?target=127.0.0.1:1');
  const [row] = JSON.parse((await get('/api/fleet')).text).targets;
  expect(Object.keys(row).filter((field) => !page.includes(`\`${field}\``))).toEqual([]);
});
