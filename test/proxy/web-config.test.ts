/** TLS and authentication for the proxy. */
import { request } from 'node:https';
import { join } from 'node:path';
import { hashSync } from 'bcryptjs';
import pino from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseListenAddresses } from '../../src/config/listen-address.ts';
import { startConfiguredProxy } from '../../src/proxy/start-proxy.ts';
import { newAuthority } from '../certificates.ts';
import { temporaryFolder } from '../web-server.ts';
import { get, post, rawClient } from './raw-client.ts';
import { startScripted } from './scripted-ollama.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const USERS = `basic_auth_users: { alice: "${hashSync('secret', 4)}" }\n`;
const ALICE = `Authorization: Basic ${Buffer.from('alice:secret').toString('base64')}\r\n`;

async function start(files: Readonly<Record<string, string>>, url?: URL | null) {
  const ollama = await startScripted(({ socket }) => socket.write(OK));
  const { folder } = temporaryFolder(files);
  const proxy = await startConfiguredProxy(
    {
      proxyListenAddresses: parseListenAddresses('127.0.0.1:0'),
      proxyWebConfigFile: join(folder, 'web.yml'),
      proxyIncludeUsage: false,
      proxyShutdownGraceMs: 100,
    },
    url === null ? undefined : ollama.url,
    async () => ({}),
    pino({ level: 'silent' }),
  );
  onTestFinished(async () => await proxy?.close());
  return { ollama, port: proxy?.addresses[0]?.port ?? 0 };
}

describe('with basic authentication', () => {
  test('a request without credentials gets 401, and never reaches Ollama', async () => {
    const { ollama, port } = await start({ 'web.yml': USERS });
    const response = await (await rawClient(port)).send(post('/api/generate', '{}')).response();
    expect(response.statusLine).toBe('HTTP/1.1 401 Unauthorized');
    expect(ollama.received).toEqual([]);
  });

  test('the Authorization header is not passed on', async () => {
    const { ollama, port } = await start({ 'web.yml': USERS });
    const response = await (await rawClient(port))
      .send(get('/api/tags', 'GET', `${ALICE}X-A: 1\r\n`))
      .response();
    expect(response.body.toString()).toBe('ok');
    expect(ollama.received[0]?.head).not.toMatch(/authorization|alice/i);
    expect(ollama.received[0]?.head).toContain('X-A: 1');
  });

  test('100 Continue is sent only to authenticated clients', async () => {
    const { port } = await start({ 'web.yml': USERS });
    const head = 'POST /api/create HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n';
    const refused = await rawClient(port);
    expect((await refused.send(`${head}\r\n`).response()).statusLine).toBe('HTTP/1.1 401 Unauthorized');
    const accepted = await rawClient(port);
    await accepted.send(`${head}${ALICE}\r\n`).until((text) => text.startsWith('HTTP/1.1 100 Continue'));
    await accepted.send('{}').until((text) => text.endsWith('ok'));
  });
});

test('without basic authentication, Authorization is passed on to Ollama, with TLS too', async () => {
  const authority = await newAuthority();
  const { cert, key } = await authority.issue();
  const tls = 'tls_server_config: { cert_file: cert.pem, key_file: key.pem }\n';
  const { ollama, port } = await start({ 'web.yml': tls, 'cert.pem': cert, 'key.pem': key });
  const status = await new Promise((resolve, reject) => {
    const options = {
      port,
      host: 'localhost',
      ca: authority.cert,
      agent: false,
      headers: { Authorization: 'Bearer a' },
    };
    request(options, (response) => resolve(response.resume().statusCode))
      .once('error', reject)
      .end();
  });
  expect(status).toBe(200);
  expect(ollama.received[0]?.head).toContain('Authorization: Bearer a');
});

test("the configured headers are added to Ollama's responses", async () => {
  const { port } = await start({ 'web.yml': 'http_server_config: { headers: { X-Frame-Options: deny } }\n' });
  const response = await (await rawClient(port)).send(get('/')).response();
  expect(response.headers).toEqual(['X-Frame-Options: deny', 'Content-Length: 2']);
});

test('--proxy.listen-address requires an Ollama', async () => {
  await expect(start({ 'web.yml': '' }, null)).rejects.toThrow(
    '--proxy.listen-address needs an Ollama to pass requests on to, but --ollama.url is none',
  );
});
