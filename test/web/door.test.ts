import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { compare, hashSync } from 'bcryptjs';
import Fastify from 'fastify';
import pino from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileError } from '../../src/config/yaml.ts';
import { checkWebConfig, openDoor } from '../../src/web/door.ts';
import { newAuthority } from '../certificates.ts';
import { keptConnection, type Live, startDoor, temporaryFolder } from '../web-door.ts';

const ALICE = hashSync('alice123', 4);
const BOB = hashSync('bob123', 5);
const USERS = `basic_auth_users:\n  alice: ${ALICE}\n`;

/** All that a server answers to these bytes until it ends the connection, or the answer has come in full. */
async function answerTo({ port }: Live, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  let received = '';
  for await (const part of socket.setEncoding('utf8')) {
    received += part;
  }
  return received;
}

/** Answers each comparison only when told to, and then waits for it to be asked for. */
function heldCompare() {
  const asked: string[] = [];
  const answers: ((matches: boolean) => void)[] = [];
  const held = (password: string) => {
    asked.push(password);
    return new Promise<boolean>((resolve) => answers.push(resolve));
  };
  const answerNext = async (matches: boolean) => {
    await expect.poll(() => answers, { interval: 1 }).not.toHaveLength(0);
    answers.shift()?.(matches);
  };
  return { compare: held, asked, answerNext };
}

/** @returns the sockets of the next requests, once they are there */
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

test('an empty file is an open door of plain HTTP', async () => {
  const { get, door } = await startDoor({ 'web.yml': '' });
  expect(door.tls).toBe(false);
  expect(await get()).toMatchObject({ status: 200, body: 'behind the door' });
});

describe('who is no user', () => {
  test.each([undefined, 'alice:x', 'mallory:alice123', 'alice', ':', 'constructor:x'])(
    'is refused, with credentials %j',
    async (as) => {
      let handled = false;
      const { get } = await startDoor({ 'web.yml': USERS }, () => {
        handled = true;
      });
      const { status, headers, body } = await get(as === undefined ? {} : { as });
      expect(status).toBe(401);
      expect(body).toBe('Unauthorized\n');
      expect(headers).toMatchObject({
        'www-authenticate': 'Basic',
        'content-type': 'text/plain; charset=utf-8',
        'x-content-type-options': 'nosniff',
      });
      expect(handled).toBe(false);
    },
  );

  test.each(['GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE', 'TRACE', 'PROPFIND'])(
    'is refused whatever is asked for, by %s',
    async (method) => {
      const { get } = await startDoor({ 'web.yml': USERS });
      for (const path of ['/', '/metrics', '/-/healthy', '/-/ready', '/none', '*', '//x', '/%2e%2e']) {
        expect((await get({ method, path })).status).toBe(401);
      }
    },
  );

  test.each([
    ['Expect: 100-continue\r\nContent-Length: 2', 'HTTP/1.1 401 Unauthorized'],
    ['Expect: miracles', 'HTTP/1.1 401 Unauthorized'],
    ['Connection: close, upgrade\r\nUpgrade: websocket', 'HTTP/1.1 401 Unauthorized'],
  ])('is refused with %j', async (headers, status) => {
    const live = await startDoor({ 'web.yml': USERS });
    const connection = headers.includes('Connection') ? '' : 'Connection: close\r\n';
    const answer = await answerTo(live, `POST / HTTP/1.1\r\nHost: a\r\n${connection}${headers}\r\n\r\n`);
    expect(answer).toMatch(status);
    expect(answer.match(/^HTTP/gm)).toHaveLength(1);
    expect(answer).not.toContain('behind the door');
  });

  test('gets nothing by CONNECT', async () => {
    const live = await startDoor({ 'web.yml': USERS });
    expect(await answerTo(live, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('');
  });

  test('costs one comparison, known or not, and none without a password', async () => {
    const { get, compared } = await startDoor({ 'web.yml': USERS });
    await get();
    expect(compared).toEqual([]);
    await get({ as: 'alice:x' });
    await get({ as: 'mallory:x' });
    expect(compared.map((hash) => hash.slice(3, 7))).toEqual(['$04$', '$04$']);
  });
});

describe('a user', () => {
  test('passes by the password, which is compared once', async () => {
    const { get, compared } = await startDoor({ 'web.yml': USERS });
    for (const _ of [1, 2, 3]) {
      expect(await get({ as: 'alice:alice123' })).toMatchObject({ status: 200, body: 'behind the door' });
    }
    expect(compared).toEqual([ALICE]);
  });

  test('sends a body only once asked for, which is after the password was checked', async () => {
    const live = await startDoor({ 'web.yml': USERS });
    const authorization = `Basic ${Buffer.from('alice:alice123').toString('base64')}`;
    const answer = await answerTo(
      live,
      `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: ${authorization}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\n/);
  });

  test('whose expectation can not be met learns so', async () => {
    const { get } = await startDoor({ 'web.yml': USERS });
    expect((await get({ as: 'alice:alice123', headers: { expect: 'miracles' } })).status).toBe(417);
  });

  test('keeps the connection while users change; who is not let in has it ended', async () => {
    const { get, write, door, server, settled } = await startDoor({ 'web.yml': USERS });
    await settled();
    let connections = 0;
    server.on('connection', () => {
      connections += 1;
    });
    const agent = keptConnection(door);
    const known = () => get({ agent, as: 'alice:alice123' });
    expect((await known()).status).toBe(200);
    write('web.yml', `${USERS}  bob: ${BOB}\n`);
    expect((await known()).status).toBe(200);
    expect(connections).toBe(1);
    expect((await get({ agent, as: 'alice:wrong' })).headers['connection']).toBe('close');
    expect((await known()).status).toBe(200);
    expect(connections).toBe(2);
  });

  test('who is added, changed or removed is so at the next request', async () => {
    const { get, write, door, settled } = await startDoor({ 'web.yml': USERS });
    await settled();
    const agent = keptConnection(door);
    const statuses = async () => [
      (await get({ agent, as: 'alice:alice123' })).status,
      (await get({ agent, as: 'bob:bob123' })).status,
      (await get({ agent })).status,
    ];
    expect(await statuses()).toEqual([200, 401, 401]);
    write('web.yml', `${USERS}  bob: ${BOB}\n`);
    expect(await statuses()).toEqual([200, 200, 401]);
    write('web.yml', `${USERS}  bob: ${ALICE}\n`);
    expect(await statuses()).toEqual([200, 401, 401]);
    write('web.yml', `basic_auth_users:\n  bob: ${BOB}\n`);
    expect(await statuses()).toEqual([401, 200, 401]);
    write('web.yml', '');
    expect(await statuses()).toEqual([200, 200, 200]);
  });

  test('is not held up by a flood of wrong passwords from elsewhere', async () => {
    const { compare: held, asked, answerNext } = heldCompare();
    const { get, server } = await startDoor({ 'web.yml': USERS }, undefined, { compare: held });
    const known = get({ as: 'alice:alice123' });
    await answerNext(true);
    expect((await known).status).toBe(200);
    const arrived = requestsAt(server, 50);
    const flood = Array.from({ length: 50 }, (_, number) => get({ as: `alice:${number}` }));
    await arrived;
    // Known already, so nothing is to be compared, though a comparison is under way all the time.
    expect((await get({ as: 'alice:alice123' })).status).toBe(200);
    // From another address for the first time: after the one under way, and one more.
    const there = requestsAt(server, 1);
    const first = get({ as: 'alice:from elsewhere', localAddress: '127.0.0.2' });
    await there;
    for (const matches of [false, false, true]) {
      await answerNext(matches);
    }
    expect((await first).status).toBe(200);
    expect(asked.indexOf('from elsewhere')).toBe(3);
    for (const _ of flood.slice(2)) {
      await answerNext(false);
    }
    const statuses = (await Promise.all(flood)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([401]));
  });

  test('who hangs up while waiting costs no comparison, and no scrape', async () => {
    let handled = 0;
    const handler = () => {
      handled += 1;
    };
    const { compare: held, asked, answerNext } = heldCompare();
    const { port, server, get } = await startDoor({ 'web.yml': USERS }, handler, { compare: held });
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
    await answerNext(true);
    await answerNext(false);
    expect((await last).status).toBe(401);
    expect(asked).toEqual(['1', '3']);
    expect(handled).toBe(0);
  });

  test('whose password can not be checked gets 500, and passes the next time', async () => {
    let broken = true;
    const { get, logged } = await startDoor({ 'web.yml': USERS }, undefined, {
      compare: (password, hash) =>
        broken ? Promise.reject(new Error('thread ended')) : compare(password, hash),
    });
    expect(await get({ as: 'alice:alice123' })).toMatchObject({
      status: 500,
      body: 'Internal Server Error\n',
    });
    expect(logged).toMatchObject([{ level: 50, msg: 'Unable to check a password', err: 'thread ended' }]);
    broken = false;
    expect((await get({ as: 'alice:alice123' })).status).toBe(200);
  });
});

describe('the headers of the file', () => {
  const HEADERS = `http_server_config:
  headers:
    Strict-Transport-Security: max-age=1
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    Content-Security-Policy: default-src 'none'
`;

  test('come with every response, and the policy of a page of ours before that of the file, as in Go', async () => {
    const { folder, write } = temporaryFolder({ 'web.yml': HEADERS });
    const door = openDoor(join(folder, 'web.yml'), { log: pino({ level: 'silent' }), compare });
    const app = Fastify({ serverFactory: (handler) => door.createServer(handler, {}) });
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
    const common = {
      'strict-transport-security': 'max-age=1',
      'x-frame-options': 'deny',
      'x-content-type-options': 'nosniff',
    };
    expect(await headersOf('/')).toMatchObject({
      ...common,
      'content-security-policy': "default-src 'self'",
    });
    for (const path of ['/metrics', '/none']) {
      expect(await headersOf(path)).toMatchObject({
        ...common,
        'content-security-policy': "default-src 'none'",
      });
    }
    write('web.yml', HEADERS + USERS);
    expect(await headersOf('/')).toMatchObject({ ...common, 'www-authenticate': 'Basic' });
    write('web.yml', '');
    expect(await headersOf('/metrics')).not.toHaveProperty('x-frame-options');
  });
});

describe('the rate limit', () => {
  test('comes before headers and passwords, and lets through what has a token', async () => {
    let time = 0;
    const { get, compared } = await startDoor(
      {
        'web.yml': `${USERS}rate_limit: { interval: 1s, burst: 1 }\nhttp_server_config: { headers: { X-Frame-Options: deny } }\n`,
      },
      undefined,
      { now: () => time },
    );
    expect((await get({ as: 'alice:alice123' })).status).toBe(200);
    const { status, body, headers } = await get({ as: 'alice:x' });
    expect([status, body]).toEqual([429, 'Too Many Requests\n']);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff' });
    expect(headers).not.toHaveProperty('x-frame-options');
    expect(compared).toHaveLength(1);
    time += 1_000;
    expect((await get({ as: 'alice:alice123' })).status).toBe(200);
  });

  test('is that of the start, whatever becomes of the file', async () => {
    const { get, write } = await startDoor({ 'web.yml': 'rate_limit: { interval: 1h, burst: 1 }' });
    expect((await get()).status).toBe(200);
    write('web.yml', '');
    expect((await get()).status).toBe(429);
  });
});

describe('a file that can not be used', () => {
  test.each([
    ['is broken', 'basic_auth_users: ['],
    ['has an unknown key', 'users: {}'],
    ['has a bad hash', 'basic_auth_users: { alice: secret }'],
  ])(
    'since it %s answers 500, is logged once, and does so no more once it is mended',
    async (_what, content) => {
      const { get, write, logged, compared } = await startDoor({ 'web.yml': USERS });
      const status = async () => (await get({ as: 'alice:alice123' })).status;
      expect(await status()).toBe(200);
      write('web.yml', content);
      expect(await get({ as: 'alice:alice123' })).toMatchObject({
        status: 500,
        body: 'Internal Server Error\n',
      });
      expect(await status()).toBe(500);
      expect(logged).toMatchObject([{ level: 50, msg: 'Unable to parse configuration' }]);
      expect(logged[0]?.err).toContain('web.yml:1: ');
      expect(logged[0]?.err).not.toContain('secret');
      write('web.yml', USERS);
      expect(await status()).toBe(200);
      expect(compared).toHaveLength(1);
      expect(logged[1]).toMatchObject({ level: 30, msg: 'The web configuration can be used again' });
      write('web.yml', content);
      expect(await status()).toBe(500);
      expect(logged).toHaveLength(3);
    },
  );

  test('opens no door', () => {
    const { folder } = temporaryFolder({ 'web.yml': 'basic_auth_users: { alice: secret }' });
    const open = () => openDoor(join(folder, 'web.yml'), { log: pino({ level: 'silent' }), compare });
    expect(open).toThrow(FileError);
    expect(() => openDoor(join(folder, 'none.yml'), { log: pino({ level: 'silent' }), compare })).toThrow(
      /none.yml: can't be read: ENOENT/,
    );
  });
});

describe('the check of a file', () => {
  test('loads the certificates that it names', async () => {
    const authority = await newAuthority();
    const server = await authority.issue();
    const { folder, write } = temporaryFolder({
      'web.yml': 'tls_server_config: { cert_file: server.crt, key_file: server.key }',
      'server.crt': server.cert,
    });
    const check = () => checkWebConfig(join(folder, 'web.yml'));
    expect(check).toThrow(FileError);
    expect(check).toThrow(/web.yml: failed to read key_file \(.*server.key\): ENOENT/);
    write('server.key', server.key);
    expect(check).not.toThrow();
    write('server.key', 'x');
    expect(check).toThrow(/web.yml: cert_file .* and key_file .* can't be used/);
  });
});

test('HTTP/2 counts as asked for only where the file names it, and TLS is on', async () => {
  const { cert, key } = await (await newAuthority()).issue();
  const asks = (content: string) => {
    const { folder } = temporaryFolder({ 'web.yml': content, 'server.crt': cert, 'server.key': key });
    return openDoor(join(folder, 'web.yml'), { log: pino({ level: 'silent' }), compare }).asksForHttp2;
  };
  const tls = 'tls_server_config: { cert_file: server.crt, key_file: server.key }\n';
  expect(asks(`${tls}http_server_config: { http2: true }`)).toBe(true);
  expect(asks(tls)).toBe(false);
  expect(asks('http_server_config: { http2: true }')).toBe(false);
});
