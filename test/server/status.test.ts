import { readFileSync } from 'node:fs';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from '../../src/log/log.ts';
import { FROZEN_NOW_MS, readCorpus } from '../corpus.ts';
import { type InProcessExporter, type InProcessOptions, startInProcess } from '../exporter-in-process.ts';
import { type FakeOllama, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

let ollama: FakeOllama;
let requested = 0;
const exporters: InProcessExporter[] = [];

beforeEach(async () => {
  ollama = await startFakeOllama({ ps: json(readCorpus('04-split.json')), version: json(VERSION_BODY) });
  requested = 0;
  ollama.server.on('request', () => {
    requested += 1;
  });
});

afterEach(async () => {
  await Promise.all(exporters.splice(0).map(({ close }) => close()));
  await ollama.close();
});

async function start(options: InProcessOptions = {}, url = ollama.url): Promise<InProcessExporter> {
  const exporter = await startInProcess(url, options);
  exporters.push(exporter);
  return exporter;
}

async function requestPath({ url }: InProcessExporter, path: string, method: 'GET' | 'HEAD' = 'GET') {
  const { statusCode, headers, body } = await request(new URL(path, url), { method });
  return { status: statusCode, headers, text: await body.text() };
}

test('/ scrapes --ollama.url at each request, and has a strict Content-Security-Policy', async () => {
  const exporter = await start();
  const { status, headers, text } = await requestPath(exporter, '/');
  expect({ status, requested }).toEqual({ status: 200, requested: 2 });
  expect(headers['content-type']).toBe('text/html; charset=utf-8');
  expect(headers['cache-control']).toBe('no-store');
  expect(headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-/);
  expect(text).toContain('gpt-oss:120b');
  expect(text).toContain('href="./metrics"');
  // Only the telemetry path logs Ollama's state.
  expect(exporter.stateLines()).toEqual([]);
});

test.each(['/api/status', '/api/fleet'])('HEAD %s scrapes nothing', async (path) => {
  const { status, text } = await requestPath(await start(), path, 'HEAD');
  expect({ status, text }).toEqual({ status: 200, text: '' });
  expect(requested).toBe(0);
});

test('HEAD / scrapes nothing', async () => {
  const { status, text } = await requestPath(await start(), '/', 'HEAD');
  expect({ status, text, requested }).toEqual({ status: 200, text: '', requested: 0 });
});

test('/api/status has the values of the page', async () => {
  const { status, headers, text } = await requestPath(await start(), '/api/status');
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('application/json; charset=utf-8');
  expect(JSON.parse(text)).toMatchObject({
    target: ollama.url.href,
    module: 'default',
    simulated: false,
    state: 'up',
    problems: [],
    version: '0.33.0',
    read_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    vram_capacity: null,
    models: [
      {
        model: 'gpt-oss:120b',
        quantization: 'MXFP4',
        family: 'gptoss',
        digest: expect.stringMatching(/^894478ffda30/),
        processor: '38%/62% CPU/GPU',
        context_length: 8192,
      },
    ],
    totals: { models: 1 },
  });
});

test('the page is returned with 200 if Ollama is down', async () => {
  const exporter = await start({}, new URL('http://127.0.0.1:1'));
  const { status, text } = await requestPath(exporter, '/');
  expect(status).toBe(200);
  expect(text).toContain('role="status">Down</p>');
  expect(JSON.parse((await requestPath(exporter, '/api/status')).text)).toMatchObject({
    state: 'down',
    models: null,
    version: null,
    problems: [
      { api: 'ps', reason: 'refused' },
      { api: 'version', reason: 'refused' },
    ],
  });
});

test('/api/status matches its golden file at a fixed time', async () => {
  const frozen = await startFakeOllama({
    ps: (_request, response) => {
      response.setHeader('date', new Date(FROZEN_NOW_MS).toUTCString());
      response.end(readCorpus('11-names-odd.json'));
    },
    version: json(VERSION_BODY),
  });
  const { text } = await requestPath(
    await start({ vramCapacity: 24 * 1024 ** 3 }, frozen.url),
    '/api/status',
  );
  await frozen.close();
  const golden = { ...JSON.parse(text), target: 'TARGET', read_at: 'READ_AT', seconds: 'SECONDS' };
  await expect(`${JSON.stringify(golden, null, 2)}\n`).toMatchFileSnapshot(
    '../fixtures/status/11-names-odd.json',
  );
});

const MODULES = 'modules: { blue: { allow: ["127.0.0.0/8"], vram_capacity: 80000000000 }, default: {} }';

describe('another target', () => {
  const configYaml = MODULES;
  const unreachable = new URL('http://127.0.0.1:1');

  test('is scraped under the rules of /probe', async () => {
    const exporter = await start({ configYaml, demo: true }, unreachable);
    const { status, text } = await requestPath(exporter, `/?target=${ollama.url.host}&module=blue`);
    expect({ status, requested }).toEqual({ status: 200, requested: 2 });
    expect(text).toContain('gpt-oss:120b');
    expect(text).toContain('of 74.5 GiB');
    expect(text).toContain('Module blue');
    const [, link = ''] = /href="(\.\/api\/status[^"]*)"/.exec(text) ?? [];
    const numbers = await requestPath(exporter, link.replaceAll('&amp;', '&'));
    expect(JSON.parse(numbers.text)).toMatchObject({ target: ollama.url.href, module: 'blue' });
    // Only the Ollama of the options is simulated.
    expect(text).not.toContain('Simulated');
  });

  test.each([
    ['/?target=127.0.0.1:1', 403, 'Module &quot;default&quot; allows no targets'],
    [
      '/?target=10.0.0.1&module=blue',
      403,
      'Target 10.0.0.1:11434 is not allowed by module &quot;blue&quot;.',
    ],
    ['/?target=', 400, 'Target parameter is missing'],
    ['/?target=a&module=red', 400, 'Unknown module &quot;red&quot;'],
  ])('%s returns %d, with the reason on the page', async (path, expected, why) => {
    const { status, headers, text } = await requestPath(await start({ configYaml }, unreachable), path);
    expect({ status, requested }).toEqual({ status: expected, requested: 0 });
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(text).toContain(why);
    expect(text).toContain('href="./"');
  });

  test('that is rejected gets 403 from /api/status, and is logged', async () => {
    const lines: string[] = [];
    const log = createLogger(
      { logLevel: 'warn', logFormat: 'logfmt' },
      { write: (line) => lines.push(line) },
    );
    const exporter = await start({ configYaml, log }, unreachable);
    const { status, text } = await requestPath(exporter, '/api/status?target=127.0.0.1:1');
    await requestPath(exporter, '/?target=127.0.0.1:1');
    await requestPath(exporter, '/?target=');
    // The second one within ten seconds is only counted.
    expect(lines).toEqual([
      expect.stringContaining('msg="Refused a probe" client=127.0.0.1 target=127.0.0.1:1'),
    ]);
    expect(status).toBe(403);
    expect(text).toContain('Module "default" allows no targets');
  });

  test('can be entered in a form, which lists the modules with an allow list', async () => {
    const { text } = await requestPath(await start({ configYaml }), '/');
    expect(text).toContain('<form action="./" method="get">');
    expect(text.match(/<option[^>]*>(\w+)/g)).toEqual(['<option>blue']);
  });
});

test('the page links to --web.dashboard-url, and is sorted by its query', async () => {
  const dashboardUrl = new URL('https://grafana.example.org/d/ollama');
  const { text } = await requestPath(await start({ dashboardUrl }), '/?sort=-vram');
  expect(text).toContain('<a href="https://grafana.example.org/d/ollama">Dashboard</a>');
  expect(text).toContain('aria-sort="ascending"><a href="?sort=vram">VRAM</a>');
});

test('an unknown capacity is shown with the setting for it', async () => {
  const own = await requestPath(await start({ configYaml: MODULES }), '/');
  expect(own.text).toContain('set <code>--ollama.vram-capacity=auto</code>');
  const target = await requestPath(
    await start({ configYaml: MODULES }),
    `/?target=${ollama.url.host}&module=blue`,
  );
  expect(target.text).toContain('set <code>memory_capacity</code> in the module <code>blue</code>');
});

test('the limit of concurrent scrapes applies to the page', async () => {
  const hanging = await startFakeOllama({ ps: () => {}, version: () => {} });
  const exporter = await start({ maxRequests: 1, timeoutMs: 1_000, configYaml: MODULES }, hanging.url);
  const first = requestPath(exporter, '/metrics');
  await new Promise((resolve) => hanging.server.once('request', resolve));
  const { status, text } = await requestPath(exporter, '/?target=127.0.0.1:1&module=blue');
  expect(status).toBe(503);
  expect(text).toContain('Limit of concurrent requests reached (--web.max-requests=1), try again later.');
  await first;
  await hanging.close();
});

test('every field of /api/status is documented', async () => {
  const page = readFileSync(new URL('../../docs/status.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name);
  const status = JSON.parse((await requestPath(await start(), '/api/status')).text);
  const fields = [...Object.keys(status), ...Object.keys(status.totals), ...Object.keys(status.models[0])];
  expect(fields.filter((field) => !documented.includes(field))).toEqual([]);
});
