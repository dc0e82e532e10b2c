import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { startInProcess } from '../exporter-in-process.ts';
import { type FakeOllama, type Handlers, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

const opened: { close: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const { close } of opened.splice(0).toReversed()) {
    await close();
  }
});

const MODULE = `
    allow: ["127.0.0.0/8"]
    timeout: 300ms
    headers: { Host: "localhost:11434" }
`;

const WITH_CREDENTIALS = `
    allow: ["127.0.0.0/8"]
    timeout: 300ms
    headers: { X-Key: 'k3y with "quotes"', Host: "localhost:11434" }
    basic_auth: { username: user, password: p4ssword }
`;

/** The report on a target with these handlers; its address is replaced by HOST, and each duration by 0 s. */
async function report(handlers: Partial<Handlers>, module = MODULE): Promise<string> {
  const ollama = await startFakeOllama({
    ps: json('{"models":[]}'),
    version: json(VERSION_BODY),
    ...handlers,
  });
  opened.push(ollama);
  return await reportOn(ollama, '', module);
}

async function reportOn(
  { url: { host, href } }: FakeOllama,
  path: string,
  module: string,
  beforeProbe = () => {},
): Promise<string> {
  const exporter = await startInProcess(new URL(href), { configYaml: `modules:\n  default:${module}` });
  opened.push(exporter);
  beforeProbe();
  const url = new URL(`/probe?debug=true&target=${encodeURIComponent(host + path)}`, exporter.url);
  const { statusCode, headers, body } = await request(url);
  expect(statusCode).toBe(200);
  expect(headers['content-type']).toBe('text/plain; charset=utf-8');
  return (await body.text()).replaceAll(host, 'HOST').replaceAll(/\d\.\d{3,}/g, '0');
}

test('the report contains requests, responses, metrics and module', async () => {
  expect(await report({})).toBe(`Scraped http://HOST/ with module "default", for at most 0.3 s.

GET /api/ps
  status 200, ok, after 0 s
{"models":[]}

GET /api/version
  status 200, ok, after 0 s
{"version":"0.33.0"}

Metrics that would have been returned:

# HELP ollama_up Whether at least one of /api/ps and /api/version returned a valid response in this scrape.
# TYPE ollama_up gauge
ollama_up 1

# HELP ollama_version_info A metric with a constant '1' value labeled by the version of Ollama (from /api/version).
# TYPE ollama_version_info gauge
ollama_version_info{version="0.33.0"} 1

# HELP ollama_loaded_models Number of loaded models (entries in /api/ps).
# TYPE ollama_loaded_models gauge
ollama_loaded_models 0

# HELP ollama_scrape_success Whether the request to this API of Ollama succeeded in this scrape.
# TYPE ollama_scrape_success gauge
ollama_scrape_success{api="ps"} 1
ollama_scrape_success{api="version"} 1

# HELP ollama_scrape_duration_seconds Duration of the request to this API of Ollama in this scrape.
# TYPE ollama_scrape_duration_seconds gauge
ollama_scrape_duration_seconds{api="ps"} 0
ollama_scrape_duration_seconds{api="version"} 0

# HELP ollama_scrape_skipped_models Entries in /api/ps that were skipped because they have no valid name or no valid size.
# TYPE ollama_scrape_skipped_models gauge
ollama_scrape_skipped_models 0

Module configuration:

allow:
  - 127.0.0.0/8
timeout: 300ms
headers:
  Host: localhost:11434
`);
});

test('the first 2 KiB of each body are shown, also of an error response', async () => {
  const text = await report({
    ps: (_request, response) => response.writeHead(403).end(`forbidden${'x'.repeat(3_000)}`),
    version: json(`{"version":"0.33.0","more":"${'y'.repeat(100_000)}"}`),
  });
  expect(text).toMatch(
    /GET \/api\/ps\n {2}status 403, failed: status: status 403, after 0 s\nforbiddenx{2039}… \(the first 2048 of \d+ bytes\)\n/,
  );
  expect(text).toMatch(/\n\{"version":"0\.33\.0","more":"y{2020}… \(the first 2048 of 100030 bytes\)\n/);
  expect(text).toContain('ollama_scrape_error{api="ps",reason="status"} 1');
});

test("an empty body is reported as empty, as in Ollama's 403", async () => {
  const text = await report({ ps: (_request, response) => response.writeHead(403).end() });
  expect(text).toContain(
    'GET /api/ps\n  status 403, failed: status: status 403, after 0 s\n  (empty)\n\nGET /api/version\n',
  );
});

test('an empty body is not shown if the module sends credentials', async () => {
  const text = await report({ ps: (_request, response) => response.writeHead(403).end() }, WITH_CREDENTIALS);
  expect(text).toContain('  a body of 0 bytes, not shown: the module sends credentials');
  expect(text).not.toContain('(empty)');
});

test('a hanging target is reported with the phase of each request', async () => {
  const text = await report({
    ps: () => {},
    version: (_request, response) => response.writeHead(200).write('{"ver'),
  });
  expect(text).toContain(
    'GET /api/ps\n  no status, failed: timeout: no complete response within 0.3 s, after 0 s\n  no body\n',
  );
  expect(text).toContain(
    'GET /api/version\n  status 200, failed: timeout: no complete response within 0.3 s, after 0 s\n  no body\n',
  );
});

test('if the module sends credentials, status, duration and size are shown instead of the body', async () => {
  const text = await report(
    {
      ps: (incoming, response) => response.writeHead(404).end(JSON.stringify(incoming.headers)),
      version: json(VERSION_BODY),
    },
    WITH_CREDENTIALS,
  );
  const size = /a body of (\d+) bytes, not shown/.exec(text)?.[1];
  expect(Number(size)).toBeGreaterThan(100);
  expect(text).toContain('  status 404, failed: status: status 404, after 0 s\n');
  expect(text).toContain('  status 200, ok, after 0 s\n');
  expect(text).not.toMatch(/k3y|p4ss|dXNlcjpwNHNz|"host"/);
  expect(text).toContain('X-Key: <secret>\n  Host: localhost:11434\n');
});

test('an unreadable secret is reported, and nothing is sent', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'debug-report-'));
  opened.push({ close: async () => rmSync(folder, { recursive: true }) });
  const file = join(folder, 'password');
  writeFileSync(file, 'p4ssword');
  const ollama = await startFakeOllama({ ps: () => {}, version: () => {} });
  opened.push(ollama);
  const module = `\n    allow: ["127.0.0.0/8"]\n    basic_auth: { username: u, password_file: "${file}" }\n`;
  const text = await reportOn(ollama, '', module, () => rmSync(file));
  expect(text).toMatch(
    /GET \/api\/ps\n {2}no status, failed: config: password_file can't be read: ENOENT.*, after 0 s\n {2}no body\n/,
  );
});

test('control characters are escaped', async () => {
  const text = await report({
    ps: (_request, response) => response.writeHead(500).end('\u001b[2Jgone\u009b\r\n\u202ex'),
  });
  expect(text).toContain('\\u{1b}[2Jgone\\u{9b}\\u{d}\n\\u{202e}x');
});
