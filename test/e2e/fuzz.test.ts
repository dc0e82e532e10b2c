import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import bcrypt from 'bcryptjs';
import fc from 'fast-check';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FakeOllama, startFakeOllama } from '../fake-ollama.ts';
import { type RunningExporter, startExporterProcess } from './exporter-process.ts';

const REQUESTS = 10_000;
const AT_ONCE = 32;

const folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
let ollama: FakeOllama;
let exporter: RunningExporter;

const PASSWORD = 'd00rpassword';
const HASH = bcrypt.hashSync(PASSWORD, 4);
const LOGIN = `Basic ${btoa(`prometheus:${PASSWORD}`)}`;
/** The secrets in the files, in all encodings. */
const SECRETS = [
  't0psecret',
  'p4ssword',
  btoa('user:p4ssword'),
  'k3ysecret',
  HASH,
  PASSWORD,
  btoa(`prometheus:${PASSWORD}`),
];

const CONFIG = `
modules:
  default:
    allow: ["127.0.0.0/8"]
    timeout: 500ms
    headers: { X-Key: k3ysecret }
    authorization: { credentials: t0psecret }
  other:
    allow: ["*.invalid"]
    timeout: 500ms
    basic_auth: { username: user, password: p4ssword }
`;

beforeAll(async () => {
  // The worst target repeats what it receives.
  const repeat = (incoming: { headers: object }, response: { end: (text: string) => void }) =>
    response.end(
      JSON.stringify({ version: JSON.stringify(incoming.headers).slice(0, 5), headers: incoming.headers }),
    );
  ollama = await startFakeOllama({ ps: repeat, version: repeat });
  writeFileSync(join(folder, 'ollama.yml'), CONFIG);
  writeFileSync(join(folder, 'web.yml'), `basic_auth_users: { prometheus: "${HASH}" }`);
  exporter = await startExporterProcess([
    `--config.file=${join(folder, 'ollama.yml')}`,
    `--web.config.file=${join(folder, 'web.yml')}`,
    `--ollama.url=${ollama.url.host}`,
    '--web.max-requests=0',
    '--log.level=debug',
  ]);
});

afterAll(async () => {
  await ollama.close();
  rmSync(folder, { recursive: true });
});

/** Bytes that are valid in an HTTP line: no CR, LF or NUL, which would end the request. */
const noise = fc.string({
  unit: fc
    .integer({ min: 1, max: 255 })
    .filter((byte) => byte !== 10 && byte !== 13)
    .map((byte) => String.fromCharCode(byte)),
  maxLength: 30,
});
/** Characters that most clients allow in a header. */
const printableText = fc.string({
  unit: fc.integer({ min: 32, max: 126 }).map((byte) => String.fromCharCode(byte)),
  maxLength: 30,
});
const oneOf = (...texts: readonly string[]) => fc.constantFrom(...texts);

const method = fc.oneof(
  {
    weight: 8,
    arbitrary: oneOf(
      'GET',
      'GET',
      'GET',
      'HEAD',
      'POST',
      'PUT',
      'DELETE',
      'OPTIONS',
      'PATCH',
      'TRACE',
      'PROPFIND',
      'QUERY',
    ),
  },
  { weight: 1, arbitrary: oneOf('CONNECT', 'get', 'G ET', 'FOO', '') },
);
const path = fc.oneof(
  {
    weight: 6,
    arbitrary: oneOf(
      '/',
      '/metrics',
      '/probe',
      '/config',
      '/api/status',
      '/-/healthy',
      '/-/ready',
      '/-/reload',
    ),
  },
  {
    weight: 3,
    arbitrary: oneOf(
      '//',
      '/metrics/',
      '/../metrics',
      '/%2e%2e/config',
      '/%00',
      '/%zz',
      '/probe/..',
      '*',
      'http://other/metrics',
      '/-/',
      '/PROBE',
      '/__proto__',
      `/${'a'.repeat(5_000)}`,
    ),
  },
  { weight: 1, arbitrary: noise.map((text) => `/${text.replaceAll(' ', '+')}`) },
);
const value = fc.oneof(
  oneOf(
    'default',
    'other',
    'true',
    '1',
    '',
    '__proto__',
    'constructor',
    '127.0.0.1:1',
    '127.1:1',
    '[::1]:1',
    '169.254.169.254',
    'localhost:1',
    'user:pw@127.0.0.1',
    'unix:///x',
    '$(x)',
    '<script>',
    '%0d%0aX-Injected:%201',
    '%0alevel=ERROR',
    '%ff%fe',
  ),
  fc.constant('TARGET'),
  noise.map(encodeURIComponent),
);
const query = fc
  .array(
    fc.tuple(
      fc.oneof(
        oneOf('target', 'module', 'debug', 'target', 'name[]', '__proto__'),
        noise.map(encodeURIComponent),
      ),
      value,
    ),
    { maxLength: 4 },
  )
  .map((parameters) => parameters.map(([name, text]) => `${name}=${text}`).join('&'));
/** Valid probes of invalid targets. */
const probe = fc
  .tuple(value, oneOf('', '&module=other', '&module=default'), oneOf('', '&debug=true'))
  .map((parts) => `/probe?target=${parts.join('')}`);
const startLine = fc.oneof(
  fc.tuple(method, path, query).map(([verb, at, search]) => `${verb} ${at}${search && `?${search}`}`),
  probe.map((url) => `GET ${url}`),
);
const header = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.tuple(
      oneOf(
        'Accept',
        'Accept-Encoding',
        'Range',
        'Cookie',
        'X-Forwarded-For',
        'If-None-Match',
        'Content-Type',
        'Upgrade',
        'Content-Encoding',
        'User-Agent',
        'X-Prometheus-Scrape-Timeout-Seconds',
      ),
      fc.oneof(
        printableText,
        oneOf('gzip', '0.3', '-1', 'NaN', 'h2c', 'websocket', 'a, b;q=2', '__proto__', 'x'.repeat(3_000)),
      ),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(
      oneOf('Authorization'),
      oneOf(LOGIN, 'Basic', 'Basic !!!', `Basic ${btoa('a:b')}`, 'Bearer t'),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(
      oneOf('Content-Length', 'Transfer-Encoding', 'Expect', 'Host', 'Connection'),
      oneOf('0', '5', '-1', 'chunked', 'gzip', '100-continue', 'x'),
    ),
  },
  { weight: 1, arbitrary: fc.tuple(noise, noise) },
);

/** Whole requests; most of them are authenticated, otherwise all would get 401. */
const requests = fc
  .tuple(startLine, fc.array(header, { maxLength: 4 }), fc.integer({ max: 9, min: 0 }))
  .map(([start, headers, luck]) => {
    const lines = [
      `${start.replaceAll('TARGET', ollama.url.host)} HTTP/1.1`,
      ...(luck > 0 ? ['Host: exporter'] : []),
      ...headers.map(([name, text]) => `${name}: ${text}`),
      ...(luck > 1 ? [`Authorization: ${LOGIN}`] : []),
      'Connection: close',
    ];
    return `${lines.join('\r\n')}\r\n\r\n`;
  });

/** Everything received until the connection ends. */
function send(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(exporter.url.port), exporter.url.hostname, () =>
      socket.write(text, 'latin1'),
    );
    let response = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      response += chunk;
    });
    // A reset after the response: the rest of the request was not read.
    socket.on('error', () => {}).on('close', () => resolve(response));
    socket.setTimeout(60_000, () => {
      socket.destroy();
      reject(new Error(`no end of the response to ${JSON.stringify(text)}`));
    });
  });
}

test(`${REQUESTS} random requests do not crash the exporter, get no 5xx, and reveal no secret`, async () => {
  const statuses = new Map<string, number>();
  for (let sent = 0; sent < REQUESTS; sent += AT_ONCE) {
    const batch = fc.sample(requests, { numRuns: AT_ONCE, seed: sent });
    const responses = await Promise.all(batch.map(send));
    for (const [index, response] of responses.entries()) {
      const [, status = 'none'] =
        /^HTTP\/1\.1 (?:100 Continue\r\n\r\nHTTP\/1\.1 )?(\d{3}) /.exec(response) ?? [];
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      const context = `${JSON.stringify(batch[index])} → ${JSON.stringify(response.slice(0, 2_000))}`;
      expect(
        Number(status) < 500 || (status === 'none' && /^CONNECT /.test(batch[index] ?? '')),
        context,
      ).toBe(true);
      expect(
        SECRETS.filter((secret) => response.includes(secret)),
        context,
      ).toEqual([]);
      expect(response.split('\r\n\r\n')[0], context).not.toMatch(/x-injected/i);
    }
  }
  // Every status occurred often enough.
  for (const status of ['200', '400', '401', '403', '404', '405', '414']) {
    expect(statuses.get(status), `${status} of ${JSON.stringify([...statuses])}`).toBeGreaterThan(10);
  }
  const { statusCode, body } = await request(new URL('/metrics', exporter.url), {
    headers: { authorization: LOGIN },
  });
  expect(statusCode).toBe(200);
  expect(await body.text()).toContain('ollama_up');
});

test('random requests neither break a log line nor put a secret into the log', () => {
  const lines = exporter.log().trimEnd().split('\n');
  expect(lines.length).toBeGreaterThan(100);
  expect(
    lines.filter(
      (line) => !/^time=\S+ level=(DEBUG|INFO|WARN|ERROR) msg=[\x20-\x7e\u00a0-\uffff]*$/.test(line),
    ),
  ).toEqual([]);
  expect(lines.filter((line) => SECRETS.some((secret) => line.includes(secret)))).toEqual([]);
  expect(lines.filter((line) => line.includes('level=ERROR'))).toEqual([]);
});
