/** Response headers that can't be parsed: the server is not Ollama, whatever error undici reports. */
import { afterEach, expect, test } from 'vitest';
import { startInProcess } from '../exporter-in-process.ts';
import { type RawServer, responseOf, startRawServer } from '../raw-server.ts';

let server: RawServer | undefined;

afterEach(() => server?.close());

const AFTER_LENGTH: Readonly<Record<string, string>> = {
  'Content-Length twice, the same': 'Content-Length: 20\r\n',
  'Content-Length twice, not the same': 'Content-Length: 3\r\n',
  'Content-Length and chunks': 'Transfer-Encoding: chunked\r\n',
  'a folded header': 'X-A: b\r\n c\r\n',
  'a control character': 'X-A: b\x01c\r\n',
  'a header without a name': ': x\r\n',
  'a header without a colon': 'X-A\r\n',
  'a space before the colon': 'X-A : b\r\n',
  'a header that ends in CR alone': 'X-A: b\rX-B: c\r\n',
};

const HEADS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.entries(AFTER_LENGTH).map(([name, line]) => [
      `${name}, after Content-Length`,
      responseOf('/api/version', line),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(AFTER_LENGTH).map(([name, line]) => [
      `${name}, before any Content-Length`,
      `HTTP/1.1 200 OK\r\n${line}Content-Length: 20\r\n\r\n{"version":"0.33.0"}`,
    ]),
  ),
  'Content-Length of two numbers': 'HTTP/1.1 200 OK\r\nContent-Length: 20, 20\r\n\r\n{"version":"0.33.0"}',
  'a negative Content-Length': 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{"version":"0.33.0"}',
  'an unknown HTTP version': 'HTTP/9.7 200 OK\r\nContent-Length: 2\r\n\r\n{}',
  'a status of two digits': 'HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}',
  'a status in words': 'HTTP/1.1 OK OK\r\nContent-Length: 2\r\n\r\n{}',
  'a TLS alert': '\x15\x03\x01\x00\x02\x02\x46',
  'an SSH banner': 'SSH-2.0-OpenSSH_9.9\r\n',
  'HTTP/0.9': '{"version":"0.33.0"}',
  'an HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
};

test.each(Object.entries(HEADS))('%s is invalid', async (_, bytes) => {
  server = await startRawServer(() => bytes);
  const exporter = await startInProcess(server.url, { timeoutMs: 5_000 });
  const exposition = await exporter.scrape();
  const reasons = exposition.get('ollama_scrape_error')?.samples.map(({ labels }) => labels['reason']) ?? [];
  expect(reasons).not.toEqual([]);
  expect(new Set(reasons)).toEqual(new Set(['invalid']));
  await exporter.close();
});
