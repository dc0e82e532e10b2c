/** Remedies on the page and in the log for various servers and gateways. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { remedyForError, remedyForStatus } from '../../src/ollama/remedies.ts';
import { type Authority, type CertificateOptions, newAuthority } from '../certificates.ts';
import { startInProcess } from '../exporter-in-process.ts';
import { type RawServer, startRawServer } from '../raw-server.ts';

let server: RawServer | undefined;

afterEach(() => {
  server?.close();
  server = undefined;
});

interface Advice {
  readonly reason: string;
  readonly message: string;
  readonly remedy: string;
}

async function adviceAt(url: URL, configYaml = 'modules: {}'): Promise<Advice> {
  const exporter = await startInProcess(url, { timeoutMs: 5_000, configYaml });
  const { body } = await request(new URL('/api/status', exporter.url));
  const { problems } = (await body.json()) as { readonly problems: readonly [Advice] };
  await exporter.close();
  const [{ reason, message, remedy }] = problems;
  return { reason, message, remedy };
}

/** @param head without the HTTP version */
async function adviceFor(head: string, body = ''): Promise<Advice> {
  server = await startRawServer(() => `HTTP/1.1 ${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  return await adviceAt(server.url);
}

test.each([301, 302, 303, 307, 308])(
  'the error for status %i names the redirect target without path, query and user',
  async (status) => {
    const location = 'https://user:s3cret@ollama.example.org:8443/login?token=s3cret#s3cret';
    const advice = await adviceFor(`${status} Found\r\nLocation: ${location}`);
    expect(advice.message).toBe(`status ${status}, redirect to https://ollama.example.org:8443`);
    expect(advice.remedy).toMatch(
      /^Scrape https:\/\/ollama\.example\.org:8443 instead, if Ollama is there\. If it is a login/,
    );
    expect(JSON.stringify(advice)).not.toContain('s3cret');
  },
);

test.each([
  ['http://127.0.0.1', "This is port 80, as the URL has a scheme and no other port; Ollama's is 11434. "],
  ['https://127.0.0.1', "This is port 443, as the URL has a scheme and no other port; Ollama's is 11434. "],
])('the implied port of %s is named if nothing listens there', (url, advice) => {
  const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  expect(remedyForError(error, 'refused', new URL(url))).toMatch(new RegExp(`^${advice}`));
  expect(remedyForError(error, 'timeout', new URL(url))).toMatch(new RegExp(`^${advice}`));
  expect(remedyForError(error, 'refused', new URL(`${url}:11434`))).toBeUndefined();
});

test('an implied port is named if another server responds', () => {
  const response = { status: 404, headers: {}, body: '' };
  expect(remedyForStatus({ ...response, url: new URL('http://gpu-07') })).toMatch(
    /^This is port 80, .*prefix/,
  );
  expect(remedyForStatus({ ...response, url: new URL('http://gpu-07:8080') })).toMatch(/^The path prefix/);
});

test('a redirect to https on the same host suggests that URL', async () => {
  const { remedy } = await adviceFor('308 Permanent Redirect\r\nLocation: https://127.0.0.1/api/ps');
  expect(remedy).toBe('Scrape https://127.0.0.1 instead.');
});

test.each(['/ollama/api/ps', '', 'http://['])('a redirect to %j suggests a path prefix', async (location) => {
  const { message, remedy } = await adviceFor(`301 Moved\r\nLocation: ${location}`);
  expect(message).toMatch(/^status 301/);
  expect(remedy).toMatch(/path prefix/);
});

test.each([
  ['401 Unauthorized\r\nWWW-Authenticate: Basic realm="a"', 'no', /credentials.*module/],
  ['407 Proxy Authentication Required', 'no', /Proxy-Authorization.*module/],
  ['403 Forbidden', '', /Host header.*OLLAMA_HOST=0\.0\.0\.0/],
  ['403 Forbidden\r\nContent-Type: text/html', '', /gateway.*did not reach Ollama/],
  ['403 Forbidden', 'error code: 1010', /gateway/],
  ['404 Not Found', '404 page not found', /path prefix.*0\.1\.38/],
  ['429 Too Many Requests', '', /limits requests/],
  ['502 Bad Gateway', '', /is Ollama running/],
  ['503 Service Unavailable', '', /is Ollama running/],
  ['504 Gateway Timeout', '', /timed out waiting/],
  ['400 Bad Request', '<center>The plain HTTP request was sent to HTTPS port</center>', /write https:\/\//],
  ['400 Bad Request', 'Client sent an HTTP request to an HTTPS server.\n', /write https:\/\//],
  [
    '400 Bad Request',
    "Reason: You're speaking plain HTTP to an SSL-enabled server port.",
    /write https:\/\//,
  ],
  ['400 Bad Request', 'no idea', /HTTP status/],
  ['418 Teapot', '', /HTTP status/],
])('status %j with body %j has its own remedy', async (head, body, remedy) => {
  const advice = await adviceFor(head, body);
  expect(advice).toMatchObject({ reason: 'status', message: `status ${head.slice(0, 3)}` });
  expect(advice.remedy).toMatch(remedy);
});

async function adviceOf(listener: Server, scheme: string, configYaml?: string): Promise<Advice> {
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const address = listener.address();
  const port = typeof address === 'object' ? address?.port : '';
  const advice = await adviceAt(new URL(`${scheme}://127.0.0.1:${port}`), configYaml);
  listener.close();
  return advice;
}

test.each<[string, () => Server]>([
  ['HTTP', () => createHttpServer((_request, response) => response.end())],
  [
    'an unknown protocol',
    () => createTcpServer((socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.9\r\n')),
  ],
])('https to a port that speaks %s suggests http', async (_, listen) => {
  expect(await adviceOf(listen(), 'https')).toEqual({
    reason: 'tls',
    message: expect.stringMatching(/^the TLS handshake failed: [a-z ]+$/),
    remedy: 'The port does not use TLS: write http://.',
  });
});

test('https to a port that closes the connection suggests http', async () => {
  const { reason, remedy } = await adviceOf(
    createTcpServer((socket) => socket.on('error', () => {}).end()),
    'https',
  );
  expect(reason).toBe('reset');
  expect(remedy).toMatch(/write http:\/\/\. If/);
});

test('http to a Node.js server with TLS suggests https', async () => {
  const { cert, key } = await (await newAuthority()).issue();
  const { reason, remedy } = await adviceOf(
    createTlsServer({ cert, key }).on('tlsClientError', () => {}),
    'http',
  );
  expect(reason).toBe('reset');
  expect(remedy).toMatch(/write https:\/\/\.$/);
});

describe('TLS certificates:', () => {
  const folder = mkdtempSync(join(tmpdir(), 'remedies-'));
  const ca = join(folder, 'ca.pem');
  const trusting = `modules: { default: { tls_config: { ca_file: ${ca} } } }`;
  let authority: Authority;

  beforeAll(async () => {
    authority = await newAuthority();
    writeFileSync(ca, authority.cert);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const serve = async (certificate: CertificateOptions, options: TlsOptions = {}) => {
    const { cert, key } = await authority.issue(certificate);
    return createTlsServer({ cert, key, ...options }, (socket) => socket.on('error', () => {}));
  };

  test.each<[string, CertificateOptions, TlsOptions, RegExp]>([
    ['has expired', { expired: true }, {}, /^Renew/],
    ['is for another name', { sans: [{ type: 'dns', value: 'other' }] }, {}, /server_name/],
    [
      'is sent over an old TLS version',
      {},
      { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL@SECLEVEL=0' },
      /TLS 1\.2/,
    ],
  ])('a server whose certificate %s has its own remedy', async (_, certificate, options, remedy) => {
    const advice = await adviceOf(
      await serve(certificate, { ca: authority.cert, ...options }),
      'https',
      trusting,
    );
    expect(advice.reason).toBe('tls');
    expect(advice.remedy).toMatch(remedy);
    expect(advice.message).not.toMatch(/routines|\.c:/);
  });

  test.each([
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
    'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
  ])('a server that requires one (%s) suggests cert_file and key_file', (code) => {
    const error = Object.assign(new Error('alert'), { code });
    expect(remedyForError(error, 'tls', new URL('https://a'))).toMatch(/cert_file and key_file/);
  });

  test('an nginx that requires one suggests cert_file and key_file', async () => {
    const { remedy } = await adviceFor(
      '400 Bad Request',
      '<center>No required SSL certificate was sent</center>',
    );
    expect(remedy).toMatch(/cert_file and key_file/);
  });

  test('a server with an untrusted one suggests ca_file', async () => {
    const advice = await adviceOf(await serve({}), 'https');
    expect(advice).toMatchObject({ reason: 'tls', remedy: expect.stringMatching(/ca_file/) });
  });
});
