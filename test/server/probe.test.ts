import dns from 'node:dns';
import type { IncomingHttpHeaders } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { isIP } from 'node:net';
import { request } from 'undici';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLogger } from '../../src/log/log.ts';
import { readCorpus } from '../corpus.ts';
import { type InProcessExporter, type InProcessOptions, startInProcess } from '../exporter-in-process.ts';
import { parseExposition, sampleValue } from '../exposition.ts';
import { type FakeOllama, type Handlers, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

/** The addresses of each name: the next ones at each lookup, and the last ones repeatedly. */
const names = new Map<string, string[][]>();

/** Replaces DNS. Addresses are passed through, as Node.js resolves listen addresses, too. */
beforeAll(() => {
  const real = dns.lookup;
  const lookup = vi.spyOn(dns, 'lookup').mockImplementation((...args: readonly unknown[]) => {
    const [name, , callback] = args;
    if (typeof name !== 'string' || isIP(name) > 0 || typeof callback !== 'function') {
      Reflect.apply(real, dns, args);
      return;
    }
    const [next = [], ...rest] = names.get(name) ?? [];
    if (rest.length > 0) {
      names.set(name, rest);
    }
    const found = next.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    const failure = Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' });
    setImmediate(() => callback(found.length === 0 ? failure : null, found));
  });
  syncBuiltinESMExports();
  return () => {
    lookup.mockRestore();
    syncBuiltinESMExports();
  };
});

let ollama: FakeOllama;
let requested: { readonly url: string; readonly headers: IncomingHttpHeaders }[];
const exporters: InProcessExporter[] = [];

beforeEach(async () => {
  requested = [];
  ollama = await startFakeOllama({
    ps: json(readCorpus('11-names-odd.json')),
    version: json(VERSION_BODY),
  });
  ollama.server.on('request', ({ url = '', headers }) => requested.push({ url, headers }));
});

afterEach(async () => {
  await Promise.all(exporters.splice(0).map(({ close }) => close()));
  await ollama.close();
  names.clear();
});

/** Its telemetry path scrapes `unreachable`. */
async function start(
  configYaml: string | undefined,
  options: InProcessOptions = {},
): Promise<InProcessExporter> {
  const unreachable = new URL('http://127.0.0.1:1');
  const exporter = await startInProcess(unreachable, {
    ...(configYaml !== undefined && { configYaml }),
    ...options,
  });
  exporters.push(exporter);
  return exporter;
}

const LOOPBACK = 'modules: { default: { allow: ["127.0.0.0/8"] } }';

async function requestPath(
  exporter: InProcessExporter,
  path: string,
  method: 'GET' | 'HEAD' | 'POST' = 'GET',
) {
  const { statusCode, headers, body } = await request(new URL(path, exporter.url), { method });
  return { status: statusCode, type: headers['content-type'], text: await body.text() };
}

function probe(exporter: InProcessExporter, target: string, more = '') {
  return requestPath(exporter, `/probe?target=${encodeURIComponent(target)}${more}`);
}

test('/probe returns the metrics of the target, and none of the exporter', async () => {
  const exporter = await start(LOOPBACK);
  const { status, type, text } = await probe(exporter, ollama.url.host);
  expect({ status, type }).toEqual({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' });
  const exposition = parseExposition(text);
  expect(sampleValue(exposition, 'ollama_up')).toBe(1);
  expect(sampleValue(exposition, 'ollama_loaded_models')).toBe(6);
  expect(
    [...exposition.keys()].filter((name) => !name.startsWith('ollama_') || name.includes('exporter')),
  ).toEqual([]);
  expect(requested.map(({ url }) => url).sort()).toEqual(['/api/ps', '/api/version']);
  expect(exporter.stateLines()).toEqual([]);
});

test('a target that is down returns 200 and ollama_up 0, as on the telemetry path', async () => {
  const { status, text } = await probe(await start(LOOPBACK), '127.0.0.1:1');
  expect(status).toBe(200);
  expect(sampleValue(parseExposition(text), 'ollama_up')).toBe(0);
  expect(text).toContain('ollama_scrape_error{api="ps",reason="refused"} 1');
});

test('the path of a target is a prefix of the requests, as in OLLAMA_HOST', async () => {
  await probe(await start(LOOPBACK), `http://${ollama.url.host}/gpu/7/`);
  expect(requested.map(({ url }) => url).sort()).toEqual(['/gpu/7/api/ps', '/gpu/7/api/version']);
});

test('HEAD /probe scrapes nothing', async () => {
  const { status, text } = await requestPath(
    await start(LOOPBACK),
    `/probe?target=${ollama.url.host}`,
    'HEAD',
  );
  expect({ status, text, requested }).toEqual({ status: 200, text: '', requested: [] });
});

describe('/probe returns 400 with the reason for', () => {
  test.each([
    ['/probe', 'Target parameter is missing: request /probe?target=gpu-07:11434'],
    ['/probe?target=', 'Target parameter is missing: request /probe?target=gpu-07:11434'],
    ['/probe?target=a&target=b', "'target' parameter must be specified once"],
    ['/probe?target=a&module=x&module=y', "'module' parameter must be specified once"],
    ['/probe?target=a&module=x%22%0Ay', 'Unknown module "x\\"\\ny"'],
    ['/probe?target=user:s3cret@a', "Target can't be used: user info (user:password@) is not supported"],
    ['/probe?target=http://user@a', "Target can't be used: user info (user:password@) is not supported"],
    ['/probe?target=a%3Fq', "Target can't be used: a query or fragment has no meaning here"],
    ['/probe?target=a?q=1', "Target can't be used: a query or fragment has no meaning here"],
    ['/probe?target=127.0.0.1&x=y?z&module=nope', 'Unknown module "nope"'],
    ['/probe?target=a%23f', "Target can't be used: a query or fragment has no meaning here"],
    [
      '/probe?target=file:///etc/passwd',
      'Target can\'t be used: scheme "file" is not supported, use http or https (in lower case)',
    ],
    [
      '/probe?target=unix:///run/ollama.sock',
      'Target can\'t be used: scheme "unix" is not supported, use http or https (in lower case)',
    ],
    [
      '/probe?target=gopher://a',
      'Target can\'t be used: scheme "gopher" is not supported, use http or https (in lower case)',
    ],
    ['/probe?target=a%0D%0Ab', "Target can't be used: that is not a host name or an IP address"],
    ['/probe?target=a%20b', "Target can't be used: that is not a host name or an IP address"],
    ['/probe?target=a%00', "Target can't be used: that is not a host name or an IP address"],
    ['/probe?target=1.2.3.4.5', "Target can't be used: that is not a host name or an IP address"],
  ])('%s', async (path, problem) => {
    expect(await requestPath(await start(LOOPBACK), path)).toEqual({
      status: 400,
      type: 'text/plain; charset=utf-8',
      text: `${problem}\n`,
    });
    expect(requested).toEqual([]);
  });
});

test('unix:/path is a host named unix, as in OLLAMA_HOST', async () => {
  const { status, text } = await probe(await start(LOOPBACK), 'unix:/run/ollama.sock');
  expect(status).toBe(200);
  expect(text).toContain('ollama_scrape_error{api="ps",reason="dns"} 1');
});

describe('/probe returns 403 and logs the rejection', () => {
  function withLog() {
    const lines: string[] = [];
    const log = createLogger(
      { logLevel: 'warn', logFormat: 'logfmt' },
      { write: (line) => lines.push(line) },
    );
    return { lines, options: { log } };
  }

  test('without a configuration file, and for a module without an allow list', async () => {
    for (const config of [undefined, 'modules: {}', 'modules: { default: { timeout: 1s } }']) {
      const { lines, options } = withLog();
      const { status, text } = await probe(await start(config, options), ollama.url.host);
      expect({ status, requested }).toEqual({ status: 403, requested: [] });
      expect(text).toBe(
        'Module "default" allows no targets: add them to its "allow" in the file given with --config.file.\n',
      );
      expect(lines).toEqual([
        expect.stringMatching(
          /level=WARN msg="Refused a probe" client=127.0.0.1 target=127.0.0.1:\d+ err="Module /,
        ),
      ]);
    }
  });

  test('for a target not on the allow list', async () => {
    const { lines, options } = withLog();
    const exporter = await start('modules: { default: { allow: ["*.lan", "10.0.0.0/8"] } }', options);
    const { status, text } = await probe(exporter, ollama.url.host);
    expect({ status, requested, text }).toEqual({
      status: 403,
      requested: [],
      text: `Target ${ollama.url.host} is not allowed by module "default".\n`,
    });
    expect(lines).toHaveLength(1);
  });

  test.each([
    ['loopback', ['127.0.0.1']],
    ['IPv6 loopback', ['::1']],
    ['IPv4-mapped loopback', ['::ffff:127.0.0.1']],
    ['link-local', ['169.254.169.254']],
    ['a network address and loopback', ['10.0.0.1', '127.0.0.1']],
    ['loopback and a network address', ['127.0.0.1', '10.0.0.1']],
  ])('for an allowed name that resolves to %s, with the reason only in the log', async (_, addresses) => {
    names.set('gpu-1.lan', [addresses]);
    const { lines, options } = withLog();
    const exporter = await start('modules: { default: { allow: ["gpu-*.lan"] } }', options);
    const { status, text } = await probe(exporter, `gpu-1.lan:${ollama.url.port}`);
    expect({ status, requested, connections: ollama.connections.size }).toEqual({
      status: 403,
      requested: [],
      connections: 0,
    });
    expect(text).toBe(`Target gpu-1.lan:${ollama.url.port} is not allowed by module "default".\n`);
    expect(lines).toEqual([expect.stringContaining('because="gpu-1.lan resolves to ')]);
    expect(exporter.stateLines()).toEqual([]);
  });
});

test('a name that resolves to an allowed address is scraped with the name as Host', async () => {
  names.set('gpu-1.lan', [['127.0.0.1']]);
  const exporter = await start(LOOPBACK);
  const { status } = await probe(exporter, `gpu-1.lan:${ollama.url.port}`);
  expect(status).toBe(200);
  expect(requested.map(({ headers }) => headers['host'])).toEqual(
    Array(2).fill(`gpu-1.lan:${ollama.url.port}`),
  );
});

test('a name that resolves to another address for the next connection is rejected', async () => {
  // Both connections share the first, allowed lookup; a check before the connection would see only that.
  names.set('gpu-1.lan', [['127.0.0.1'], ['127.9.9.9']]);
  const exporter = await start('modules: { default: { allow: ["127.0.0.1"] } }');
  ollama.server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'));
  const target = `gpu-1.lan:${ollama.url.port}`;
  expect((await probe(exporter, target)).status).toBe(200);
  await expect.poll(() => ollama.connections.size).toBe(0);
  expect((await probe(exporter, target)).status).toBe(403);
  expect(requested).toHaveLength(2);
});

test('a name that does not resolve is a target that is down', async () => {
  const { status, text } = await probe(
    await start('modules: { default: { allow: ["*.lan"] } }'),
    'gpu-1.lan',
  );
  expect(status).toBe(200);
  expect(text).toContain('ollama_scrape_error{api="ps",reason="dns"} 1');
});

test.each([
  'http://169.254.169.254/latest/meta-data/',
  'http://127.0.0.1:1/api/ps',
  'file:///etc/passwd',
  '/api/version',
])('a redirect to %s is not followed', async (location) => {
  const elsewhere = await startFakeOllama({
    ps: (_request, response) => response.writeHead(302, { location }).end(),
    version: (_request, response) => response.writeHead(307, { location }).end(),
  });
  const { text } = await probe(await start(LOOPBACK), elsewhere.url.host);
  expect(sampleValue(parseExposition(text), 'ollama_up')).toBe(0);
  expect(text).toContain('ollama_scrape_error{api="ps",reason="status"} 1');
  await elsewhere.close();
});

describe('a module', () => {
  const MODULES = `
modules:
  default: { allow: ["127.0.0.0/8"] }
  blue:
    allow: ["127.0.0.0/8"]
    headers: { X-Tenant: blue, Host: "localhost:11434" }
    authorization: { credentials: t0ken }
    vram_capacity: 24GiB
    memory_capacity: 64GiB
    collectors: [version]
    timeout: 300ms
  closed: {}
`;

  test('defines headers, collectors and capacities', async () => {
    const exporter = await start(MODULES);
    const { text } = await probe(exporter, ollama.url.host, '&module=blue');
    expect(requested).toEqual([
      {
        url: '/api/version',
        headers: expect.objectContaining({
          host: 'localhost:11434',
          'user-agent': 'ollama-exporter/1.2.3',
          'x-tenant': 'blue',
          authorization: 'Bearer t0ken',
        }),
      },
    ]);
    const exposition = parseExposition(text);
    expect(sampleValue(exposition, 'ollama_up')).toBe(1);
    expect(sampleValue(exposition, 'ollama_vram_capacity_bytes')).toBe(24 * 1024 ** 3);
    expect(sampleValue(exposition, 'ollama_memory_capacity_bytes')).toBe(64 * 1024 ** 3);
    expect(text).not.toMatch(/api="ps"|loaded_models/);
  });

  test('can replace the User-Agent', async () => {
    const exporter = await start(
      'modules: { default: { allow: ["127.0.0.0/8"], headers: { User-Agent: probe } } }',
    );
    await probe(exporter, ollama.url.host);
    expect(requested.map(({ headers }) => headers['user-agent'])).toEqual(['probe', 'probe']);
  });

  test('sets the maximum duration of a scrape', async () => {
    const exporter = await start(MODULES);
    const hanging = await startFakeOllama({ ps: () => {}, version: () => {} });
    const { text } = await probe(exporter, hanging.url.host, '&module=blue');
    expect(text).toContain('ollama_scrape_error{api="version",reason="timeout"} 1');
    // 0.3 s, instead of the 5 s of the options.
    const seconds = sampleValue(parseExposition(text), 'ollama_scrape_duration_seconds', { api: 'version' });
    expect(seconds).toBeLessThan(3);
    await hanging.close();
  });

  test('without capacities has none, since those of the command line apply to --ollama.url only', async () => {
    const capacity = { vramCapacity: 1, memoryCapacity: 2 };
    const exporter = await startInProcess(ollama.url, { configYaml: LOOPBACK, ...capacity });
    exporters.push(exporter);
    expect(sampleValue(await exporter.scrape(), 'ollama_vram_capacity_bytes')).toBe(1);
    expect((await probe(exporter, ollama.url.host)).text).not.toContain('capacity');
  });

  test('allows only its own targets', async () => {
    expect((await probe(await start(MODULES), ollama.url.host, '&module=closed')).status).toBe(403);
  });

  test('named default also applies to the telemetry path, without an allow list', async () => {
    const configYaml =
      'modules: { default: { headers: { X-Tenant: blue }, vram_capacity: 24GiB, collectors: [ps] } }';
    const exporter = await startInProcess(ollama.url, { configYaml });
    exporters.push(exporter);
    expect(sampleValue(await exporter.scrape(), 'ollama_vram_capacity_bytes')).toBe(24 * 1024 ** 3);
    expect(requested).toEqual([{ url: '/api/ps', headers: expect.objectContaining({ 'x-tenant': 'blue' }) }]);
  });
});

describe('connections to targets', () => {
  test('are reused by the next scrape', async () => {
    let connections = 0;
    ollama.server.on('connection', () => {
      connections += 1;
    });
    const exporter = await start(LOOPBACK);
    for (let scrape = 0; scrape < 5; scrape += 1) {
      await probe(exporter, ollama.url.host);
    }
    expect({ requested: requested.length, connections }).toEqual({ requested: 10, connections: 2 });
  });

  test('are separate from those of the telemetry path, whose address is not checked', async () => {
    const exporter = await startInProcess(new URL(`http://gpu-1.lan:${ollama.url.port}`), {
      configYaml: 'modules: { default: { allow: ["gpu-*.lan"] } }',
    });
    exporters.push(exporter);
    names.set('gpu-1.lan', [['127.0.0.1']]);
    await exporter.scrape();
    expect((await probe(exporter, `gpu-1.lan:${ollama.url.port}`)).status).toBe(403);
  });

  test('that a restart of the target has closed are replaced without a failed scrape', async () => {
    const exporter = await start(LOOPBACK);
    await probe(exporter, ollama.url.host);
    ollama.server.prependOnceListener('request', (request) => request.socket.resetAndDestroy());
    ollama.server.prependOnceListener('request', (request) => request.socket.resetAndDestroy());
    const { text } = await probe(exporter, ollama.url.host);
    expect(sampleValue(parseExposition(text), 'ollama_scrape_success', { api: 'ps' })).toBe(1);
    expect(sampleValue(parseExposition(text), 'ollama_scrape_success', { api: 'version' })).toBe(1);
  });
});

describe('--web.max-requests', () => {
  test('returns 503 at once for scrapes of the telemetry path and the page, and affects no other request', async () => {
    const waiting: (() => void)[] = [];
    const handlers: Handlers = {
      ps: (_request, response) => waiting.push(() => response.end('{"models":[]}')),
      version: json(VERSION_BODY),
    };
    const slow = await startFakeOllama(handlers);
    const slower = await startFakeOllama(handlers);
    const exporter = await start(LOOPBACK, { maxRequests: 2 });
    const view = ({ url }: FakeOllama) => requestPath(exporter, `/?target=${url.host}`);
    const first = [view(slow), view(slower)];
    await expect.poll(() => waiting.length, { timeout: 15_000 }).toBe(2);
    // One that shares a running scrape does not count.
    first.push(view(slow));
    for (const path of ['/metrics', '/api/status', '/?target=127.0.0.1:1']) {
      expect(await requestPath(exporter, path)).toMatchObject({
        status: 503,
        text: expect.stringContaining(
          'Limit of concurrent requests reached (--web.max-requests=2), try again later.',
        ),
      });
    }
    for (const path of ['/-/healthy', '/probe?target=127.0.0.1:1']) {
      expect(await requestPath(exporter, path)).toMatchObject({ status: 200 });
    }
    for (const respond of waiting) {
      respond();
    }
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await requestPath(exporter, '/metrics')).toMatchObject({ status: 200 });
    await Promise.all([slow.close(), slower.close()]);
  });

  test('logs the first rejection once', async () => {
    const lines: string[] = [];
    const log = createLogger(
      { logLevel: 'info', logFormat: 'logfmt' },
      { write: (line) => lines.push(line) },
    );
    const hanging = await startFakeOllama({ ps: () => {}, version: () => {} });
    const exporter = await startInProcess(hanging.url, { maxRequests: 1, configYaml: LOOPBACK, log });
    exporters.push(exporter);
    const controller = new AbortController();
    const firstRequest = new Promise((resolve) => hanging.server.once('request', resolve));
    const { signal } = controller;
    const first = request(new URL('/metrics', exporter.url), { signal }).catch(() => {});
    await firstRequest;
    await requestPath(exporter, '/?target=127.0.0.1:1');
    await requestPath(exporter, '/?target=127.0.0.1:1');
    expect(lines.filter((line) => line.includes('efus'))).toEqual([
      expect.stringMatching(
        /level=WARN msg="Refusing scrapes: the limit is reached" option=--web.max-requests limit=1\n/,
      ),
    ]);
    controller.abort();
    await first;
    await hanging.close();
  });
});
