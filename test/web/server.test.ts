import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { compare, hashSync } from 'bcryptjs';
import Fastify from 'fastify';
import pino from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileError } from '../../src/config/yaml.ts';
import { openGuardedServers } from '../../src/web/guarded-servers.ts';
import { openServerFactory } from '../../src/web/server-factory.ts';
import { newAuthority } from '../certificates.ts';
import { keptConnection, type Live, startGuarded, temporaryFolder } from '../web-server.ts';

const ALICE = hashSync('alice123', 4);
const BOB = hashSync('bob123', 5);
const USERS = `basic_auth_users:\n  alice: ${ALICE}\n`;
const SILENT = pino({ level: 'silent' });

/** Everything that a server sends in response to these bytes. */
async function responseTo({ port }: Live, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  let received = '';
  for await (const part of socket.setEncoding('utf8')) {
    received += part;
  }
  return received;
}

/** Completes each comparison when called, and waits until there is one. */
function heldCompare() {
  const compared: string[] = [];
  const pending: ((matches: boolean) => void)[] = [];
  const held = (password: string) => {
    compared.push(password);
    return new Promise<boolean>((resolve) => pending.push(resolve));
  };
  const completeNext = async (matches: boolean) => {
    await expect.poll(() => pending, { interval: 1 }).not.toHaveLength(0);
    pending.shift()?.(matches);
  };
  return { compare: held, compared, completeNext };
}

/** @returns the sockets of the next requests, once they have arrived */
function requestsAt(server: Live['server'], count: number): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  return new Promise((resolve) => {
    const onRequest = ({ socket }: IncomingMessage) => {
      sockets.push(socket);
      if (sockets.length === count) {
        server.off('request', onRequest);
        resolve(sockets);
      }
    };
    server.on('request', onRequest);
  });
}

test('an empty file serves plain HTTP without authentication', async () => {
  const { get, servers } = await startGuarded({ 'web.yml': '' });
  expect(servers.tls).toBe(false);
  expect(await get()).toMatchObject({ status: 200, body: 'handled' });
});

describe('an unauthenticated client', () => {
  test.each([
    [undefined, 0],
    ['alice:x', 1],
    ['mallory:alice123', 1],
    ['alice', 0],
    [':', 1],
    ['constructor:x', 1],
  ])('gets 401 for the credentials %j, at the cost of %i comparisons', async (as, comparisons) => {
    let handled = false;
    const { get, compared } = await startGuarded({ 'web.yml': USERS }, () => {
      handled = true;
    });
    const { status, headers, body } = await get(as === undefined ? {} : { as });
    expect([status, body]).toEqual([401, 'Unauthorized\n']);
    expect(headers).toMatchObject({
      'www-authenticate': 'Basic',
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
    });
    expect(handled).toBe(false);
    expect(compared).toHaveLength(comparisons);
  });

  test.each(['GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE', 'TRACE', 'PROPFIND'])(
    'gets 401 for every path with %s',
    async (method) => {
      const { get } = await startGuarded({ 'web.yml': USERS });
      for (const path of ['/', '/metrics', '/-/healthy', '/-/ready', '/none', '*', '//x', '/%2e%2e']) {
        expect((await get({ method, path })).status).toBe(401);
      }
    },
  );

  test.each([
    'Connection: close\r\nExpect: 100-continue\r\nContent-Length: 2',
    'Connection: close\r\nExpect: miracles',
    'Connection: close, upgrade\r\nUpgrade: websocket',
  ])('gets 401 with %j', async (headers) => {
    const live = await startGuarded({ 'web.yml': USERS });
    const response = await responseTo(live, `POST / HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n`);
    expect(response.match(/^HTTP.*/gm)).toEqual(['HTTP/1.1 401 Unauthorized']);
    expect(response).not.toContain('handled');
  });

  test('gets no response to CONNECT', async () => {
    const live = await startGuarded({ 'web.yml': USERS });
    expect(await responseTo(live, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('');
  });
});

describe('an authenticated client', () => {
  test('is served, and its password is compared once', async () => {
    const { get, compared } = await startGuarded({ 'web.yml': USERS });
    for (const _ of [1, 2, 3]) {
      expect(await get({ as: 'alice:alice123' })).toMatchObject({ status: 200, body: 'handled' });
    }
    expect(compared).toEqual([ALICE]);
  });

  test('gets 100 Continue only after the password check', async () => {
    const live = await startGuarded({ 'web.yml': USERS });
    const authorization = `Basic ${Buffer.from('alice:alice123').toString('base64')}`;
    const response = await responseTo(
      live,
      `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: ${authorization}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok`,
    );
    expect(response).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\n/);
  });

  test('gets 417 for an unknown expectation', async () => {
    const { get } = await startGuarded({ 'web.yml': USERS });
    expect((await get({ as: 'alice:alice123', headers: { expect: 'miracles' } })).status).toBe(417);
  });

  test('is affected by changes of the file at the next request, on the same connection', async () => {
    const { get, write, servers, server, settled } = await startGuarded({ 'web.yml': USERS });
    await settled();
    let connections = 0;
    server.on('connection', () => {
      connections += 1;
    });
    const agent = keptConnection(servers.tls);
    const status = async (as: string) => (await get({ agent, as })).status;
    expect(await status('alice:alice123')).toBe(200);
    write('web.yml', `${USERS}  bob: ${BOB}\n`);
    expect([await status('alice:alice123'), await status('bob:bob123')]).toEqual([200, 200]);
    expect(connections).toBe(1);
    // A rejection closes it.
    write('web.yml', `${USERS}  bob: ${ALICE}\n`);
    expect([await status('bob:bob123'), await status('alice:alice123')]).toEqual([401, 200]);
    expect(connections).toBe(2);
    write('web.yml', `basic_auth_users:\n  bob: ${BOB}\n`);
    expect([await status('alice:alice123'), await status('bob:bob123')]).toEqual([401, 200]);
  });

  test.each([
    ['wrong passwords', 'alice'],
    ['unknown users', 'mallory'],
  ])('is not delayed by a flood of %s from another address', async (_what, name) => {
    const { compare: held, compared, completeNext } = heldCompare();
    const { get, server } = await startGuarded({ 'web.yml': USERS }, undefined, { compare: held });
    const known = get({ as: 'alice:alice123' });
    await completeNext(true);
    expect((await known).status).toBe(200);
    const arrived = requestsAt(server, 50);
    const flood = Array.from({ length: 50 }, (_, number) => get({ as: `${name}:${number}` }));
    await arrived;
    // A cached password needs no comparison.
    expect((await get({ as: 'alice:alice123' })).status).toBe(200);
    // A new one waits for the running comparison.
    const another = requestsAt(server, 1);
    const first = get({ as: 'alice:from elsewhere', localAddress: '127.0.0.2' });
    await another;
    for (const matches of [false, true]) {
      await completeNext(matches);
    }
    expect((await first).status).toBe(200);
    expect(compared.indexOf('from elsewhere')).toBe(2);
    for (const _ of flood.slice(1)) {
      await completeNext(false);
    }
    const statuses = (await Promise.all(flood)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([401]));
  });

  test('that disconnects while waiting costs no comparison and no scrape', async () => {
    let handled = 0;
    const handler = () => {
      handled += 1;
    };
    const { compare: held, compared, completeNext } = heldCompare();
    const { port, server, get } = await startGuarded({ 'web.yml': USERS }, handler, { compare: held });
    for (const password of ['1', '2']) {
      const arrived = requestsAt(server, 1);
      const sent = httpRequest({ port, host: '127.0.0.1', auth: `alice:${password}` });
      sent.once('error', () => {}).end();
      const [socket] = await arrived;
      const closed = new Promise((resolve) => socket?.once('close', resolve));
      sent.destroy();
      await closed;
    }
    const last = get({ as: 'alice:3' });
    await completeNext(true);
    await completeNext(false);
    expect((await last).status).toBe(401);
    expect(compared).toEqual(['1', '3']);
    expect(handled).toBe(0);
  });

  test('gets 500 if the password check fails, and is served the next time', async () => {
    let broken = true;
    const { get, logged } = await startGuarded({ 'web.yml': USERS }, undefined, {
      compare: (password, hash) =>
        broken ? Promise.reject(new Error('thread ended')) : compare(password, hash),
    });
    const response = await get({ as: 'alice:alice123' });
    expect(response).toMatchObject({ status: 500, body: 'Internal Server Error\n' });
    expect(logged).toMatchObject([{ level: 50, msg: 'Unable to check a password', err: 'thread ended' }]);
    broken = false;
    expect((await get({ as: 'alice:alice123' })).status).toBe(200);
  });
});

test('the configured headers are in every response, except for the Content-Security-Policy of the page', async () => {
  const headers = `http_server_config:
  headers:
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    Content-Security-Policy: default-src 'none'
`;
  const { folder, write } = temporaryFolder({ 'web.yml': headers });
  const servers = openGuardedServers(join(folder, 'web.yml'), { log: SILENT, compare });
  const app = Fastify({ serverFactory: (handler) => servers.createServer(handler, {}) });
  onTestFinished(() => app.close());
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
  });
  app.get('/', (_request, reply) =>
    reply.header('content-security-policy', "default-src 'self'").send('page'),
  );
  app.get('/metrics', () => 'up 1');
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  const headersOf = async (path: string) => Object.fromEntries((await fetch(address + path)).headers);
  const common = { 'x-frame-options': 'deny', 'x-content-type-options': 'nosniff' };
  expect(await headersOf('/')).toMatchObject({ ...common, 'content-security-policy': "default-src 'self'" });
  for (const path of ['/metrics', '/none']) {
    expect(await headersOf(path)).toMatchObject({
      ...common,
      'content-security-policy': "default-src 'none'",
    });
  }
  write('web.yml', headers + USERS);
  expect(await headersOf('/')).toMatchObject({ ...common, 'www-authenticate': 'Basic' });
  write('web.yml', '');
  expect(await headersOf('/metrics')).not.toHaveProperty('x-frame-options');
});

describe('the rate limit', () => {
  test('is checked before headers and passwords', async () => {
    let time = 0;
    const files = {
      'web.yml': `${USERS}rate_limit: { interval: 1s, burst: 1 }\nhttp_server_config: { headers: { X-Frame-Options: deny } }\n`,
    };
    const { get, compared } = await startGuarded(files, undefined, { now: () => time });
    expect((await get({ as: 'alice:alice123' })).status).toBe(200);
    const { status, body, headers } = await get({ as: 'alice:x' });
    expect([status, body]).toEqual([429, 'Too Many Requests\n']);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff' });
    expect(headers).not.toHaveProperty('x-frame-options');
    expect(compared).toHaveLength(1);
    time += 1_000;
    expect((await get({ as: 'alice:alice123' })).status).toBe(200);
  });

  test('is not changed by a reload', async () => {
    const { get, write } = await startGuarded({ 'web.yml': 'rate_limit: { interval: 1h, burst: 1 }' });
    expect((await get()).status).toBe(200);
    write('web.yml', '');
    expect((await get()).status).toBe(429);
  });
});

describe('an invalid file', () => {
  test.each([
    ['has invalid syntax', 'basic_auth_users: ['],
    ['has an unknown key', 'users: {}'],
    ['has an invalid hash', 'basic_auth_users: { alice: secret }'],
  ])('that %s causes 500 for every request until it is fixed, and is logged once', async (_what, content) => {
    const { get, write, logged, compared } = await startGuarded({ 'web.yml': USERS });
    const status = async () => (await get({ as: 'alice:alice123' })).status;
    expect(await status()).toBe(200);
    write('web.yml', content);
    expect(await get()).toMatchObject({ status: 500, body: 'Internal Server Error\n' });
    expect(await status()).toBe(500);
    expect(logged).toMatchObject([{ level: 50, msg: 'Unable to parse configuration' }]);
    expect(logged[0]?.err).toContain('web.yml:1: ');
    expect(logged[0]?.err).not.toContain('secret');
    write('web.yml', USERS);
    expect(await status()).toBe(200);
    expect(compared).toHaveLength(1);
    expect(logged[1]).toMatchObject({ level: 30, msg: 'The web configuration is valid again' });
    write('web.yml', content);
    expect(await status()).toBe(500);
    expect(logged).toHaveLength(3);
  });

  test.each([
    ['is empty', ''],
    ['is truncated', USERS.slice(0, USERS.indexOf('alice'))],
    ['has no users', 'basic_auth_users: {}'],
  ])('that %s rejects everyone until it is complete', async (_what, content) => {
    const { get, write, logged } = await startGuarded({ 'web.yml': USERS });
    write('web.yml', content);
    expect((await get()).status).toBe(500);
    expect((await get({ as: 'alice:alice123' })).status).toBe(500);
    expect(logged).toMatchObject([{ err: expect.stringContaining('can only be removed by a restart') }]);
    write('web.yml', USERS);
    expect((await get()).status).toBe(401);
    expect((await get({ as: 'alice:alice123' })).status).toBe(200);
  });

  test('is an error at startup', () => {
    const { folder } = temporaryFolder({ 'web.yml': 'basic_auth_users: { alice: secret }' });
    const open = (name: string) => () => openGuardedServers(join(folder, name), { log: SILENT, compare });
    expect(open('web.yml')).toThrow(FileError);
    expect(open('none.yml')).toThrow(/none.yml: can't be read: ENOENT/);
  });
});

test.each([
  ['warns if http2 is enabled with TLS', 'http_server_config: { http2: true }', true],
  ['does not warn without http2', '', false],
])('the server factory %s, and reports whether TLS is enabled', async (_what, lines, warns) => {
  const { cert, key } = await (await newAuthority()).issue();
  const tls = 'tls_server_config: { cert_file: server.crt, key_file: server.key }\n';
  const { folder } = temporaryFolder({
    'tls.yml': tls + lines,
    'plain.yml': lines,
    'server.crt': cert,
    'server.key': key,
  });
  const logged: object[] = [];
  const log = pino({}, { write: (line) => logged.push(JSON.parse(line)) });
  expect((await openServerFactory(undefined, log)).tls).toBeUndefined();
  expect((await openServerFactory(join(folder, 'plain.yml'), log)).tls).toBe(false);
  expect(logged).toEqual([]);
  expect((await openServerFactory(join(folder, 'tls.yml'), log)).tls).toBe(true);
  expect(logged).toHaveLength(warns ? 1 : 0);
});
