import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from '../../src/log/log.ts';
import { queryOf } from '../../src/server/scrape-request.ts';
import { readCorpus } from '../corpus.ts';
import { type InProcessExporter, startInProcess } from '../exporter-in-process.ts';
import { type FakeOllama, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

let ollama: FakeOllama;
let exporter: InProcessExporter;
let requested: string[];
let logged: string[];

beforeEach(async () => {
  requested = [];
  logged = [];
  ollama = await startFakeOllama({ ps: json(readCorpus('04-split.json')), version: json(VERSION_BODY) });
  ollama.server.on('request', ({ url = '' }) => requested.push(url));
  const log = createLogger(
    { logLevel: 'debug', logFormat: 'logfmt' },
    { write: (line) => logged.push(line) },
  );
  const configYaml = 'modules: { default: { allow: ["127.0.0.0/8"], collectors: [ps] } }';
  exporter = await startInProcess(new URL('http://127.0.0.1:1'), { configYaml, log });
});

afterEach(async () => {
  await exporter.close();
  await ollama.close();
});

async function requestPath(path: string) {
  const { statusCode, body } = await request(new URL(path, exporter.url));
  return { status: statusCode, text: await body.text() };
}

function encoded(text: string, times: number): string {
  return times === 0 ? text : encodeURIComponent(encoded(text, times - 1));
}

describe('a doubly encoded target', () => {
  test.each([
    ['', '/api/ps'],
    ['/gpu/7/', '/gpu/7/api/ps'],
    // A path has the same meaning, whether its target was encoded once or twice.
    ['/a%20b', '/a%20b/api/ps'],
    ['/a%2Fb', '/a%2Fb/api/ps'],
    ['/a%252Fb', '/a%252Fb/api/ps'],
    ['/100%', '/100%/api/ps'],
  ])('is scraped like a singly encoded one, with the path %j', async (path, expected) => {
    const target = `http://${ollama.url.host}${path}`;
    for (const times of [1, 2]) {
      expect(await requestPath(`/probe?target=${encoded(target, times)}`)).toMatchObject({ status: 200 });
    }
    expect(requested).toEqual([expected, expected]);
  });

  test.each([
    ['gpu-07', 'gpu-07'],
    ['gpu-07%3A11434', 'gpu-07:11434'],
    ['gpu-07%3a11434', 'gpu-07:11434'],
    ['%5Bfd00%3A%3A7%5D%3A11434', '[fd00::7]:11434'],
    ['https%3A%2F%2Fgpu-07%2Fa', 'https://gpu-07/a'],
    ['m%C3%BCller.lan%3A11434', 'müller.lan:11434'],
    // These already have a path, so only their host was encoded twice.
    ['gpu-07%3A11434/a%20b', 'gpu-07:11434/a%20b'],
    ['http://gpu-07%3A11434/a%2Fb', 'http://gpu-07:11434/a%2Fb'],
    // These were encoded once.
    ['gpu-07/a%20b', 'gpu-07/a%20b'],
    ['http://gpu-07/a%2Fb%3A', 'http://gpu-07/a%2Fb%3A'],
  ])('is decoded once more: %s is %s', (text, target) => {
    const query = queryOf({ url: `/probe?target=${encodeURIComponent(text)}&module=a%3A` });
    expect([...query]).toEqual([
      ['target', target],
      ['module', 'a:'],
    ]);
  });

  test('is decoded in the log and the response of a rejection', async () => {
    const { status, text } = await requestPath(`/probe?target=${encoded('http://10.0.0.1:11434', 2)}`);
    expect({ status, text }).toEqual({
      status: 403,
      text: 'Target 10.0.0.1:11434 is not allowed by module "default".\n',
    });
    expect(logged.join('')).toContain(' target=http://10.0.0.1:11434 ');
    expect(logged.join('')).not.toContain('%');
  });

  test('is decoded in the log and the report of a failure', async () => {
    const { text } = await requestPath(`/probe?debug=true&target=${encoded('http://127.0.0.1:1', 2)}`);
    expect(text).toContain('Scraped http://127.0.0.1:1/ with module');
    expect(logged.join('')).toContain(' target=http://127.0.0.1:1/ ');
    expect(text + logged.join('')).not.toContain('%');
  });

  test('is decoded in /api/status and on the page, whose links encode it once', async () => {
    const query = `?target=${encoded(ollama.url.host, 2)}`;
    expect(JSON.parse((await requestPath(`/api/status${query}`)).text)).toMatchObject({
      target: ollama.url.href,
      state: 'up',
    });
    const { status, text } = await requestPath(`/${query}`);
    expect(status).toBe(200);
    expect(text).toContain(`value="${ollama.url.href}"`);
    expect(text).toContain(`href="./api/status?target=${encoded(ollama.url.host, 1)}"`);
    expect(text).not.toContain('%25');
  });
});

describe('/probe, the page and /api/status return 400 for', () => {
  const NOT_A_HOST = 'that is not a host name or an IP address';

  test.each([
    ['an escape without its digits', 'gpu-07%', NOT_A_HOST],
    ['an escape with one digit', 'gpu-07%3', NOT_A_HOST],
    ['an escape with invalid digits', 'http%3A%2F%2Fgpu-07%zz', NOT_A_HOST],
    ['an escape of invalid UTF-8', 'gpu-07%FF', NOT_A_HOST],
    ['an escape of NUL', 'gpu-07%00', NOT_A_HOST],
    ['an escape of a line break', 'gpu-07%0D%0AX', NOT_A_HOST],
    ['a host that was encoded three times', encoded('http://gpu-07:11434', 2), NOT_A_HOST],
    ['a host that is too long for DNS', 'a'.repeat(255), NOT_A_HOST],
    ['user info', encoded('http://user:s3cret@gpu-07', 1), 'user info (user:password@) is not supported'],
    ['a query', encoded('http://gpu-07/?a=b', 1), 'a query or fragment has no meaning here'],
    [
      'a zone',
      encoded('[fe80::1%eth0]', 1),
      'IPv6 zones (%eth0) are not supported, use a name or a global address',
    ],
    [
      'a zone that was encoded once',
      '[fe80::1%eth0]',
      'IPv6 zones (%eth0) are not supported, use a name or a global address',
    ],
    [
      'another scheme',
      encoded('file:///etc/passwd', 1),
      'scheme "file" is not supported, use http or https (in lower case)',
    ],
  ])('%s', async (_what, target, problem) => {
    const query = `?target=${encodeURIComponent(target)}`;
    expect(await requestPath(`/probe${query}`)).toEqual({
      status: 400,
      text: `Target can't be used: ${problem}\n`,
    });
    for (const path of ['/', '/api/status']) {
      expect(await requestPath(path + query)).toMatchObject({ status: 400 });
    }
    expect(logged.join('')).not.toMatch(/level=ERROR|s3cret/);
  });
});
