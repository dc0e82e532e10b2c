import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { GuardDependencies } from '../../src/web/guarded-servers.ts';
import { type Authority, type Certificate, newAuthority } from '../certificates.ts';
import { type Live, startGuarded } from '../web-server.ts';

const VERIFY = ['client_auth_type: RequireAndVerifyClientCert', 'client_ca_file: clients.crt'];
const DEBUG = 20;
const WARN = 40;

let authority: Authority;
let certificate: Certificate;

beforeAll(async () => {
  authority = await newAuthority();
  certificate = await authority.issue();
});

/** @param lines of `tls_server_config`, in addition to certificate and key */
function start(dependencies: Partial<GuardDependencies> = {}, lines: readonly string[] = []): Promise<Live> {
  const all = ['tls_server_config:', 'cert_file: server.crt', 'key_file: server.key', ...lines];
  const files = {
    'web.yml': `${all.join('\n  ')}\n`,
    'server.crt': certificate.cert,
    'server.key': certificate.key,
    'clients.crt': authority.cert,
  };
  return startGuarded(files, undefined, dependencies);
}

function open({ port }: Live): Socket {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  onTestFinished(() => void socket.destroy());
  // The server may close the connection while more is sent.
  return socket.on('error', () => {});
}

/** Also after an error. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Everything received until the connection ends. */
async function responseOn(socket: Socket): Promise<string> {
  let received = '';
  socket.setEncoding('latin1').on('data', (part) => {
    received += part;
  });
  await closeOf(socket);
  return received;
}

/** A request over TLS. @returns the error of the client, if it failed */
async function requestByTls(port: number, options: ConnectionOptions): Promise<unknown> {
  const socket = connectTls({ port, host: '127.0.0.1', ca: authority.cert, ...options });
  onTestFinished(() => void socket.destroy());
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  try {
    for await (const part of socket.setEncoding('utf8')) {
      expect(part).toContain('HTTP/1.1 200 OK');
    }
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The first bytes of a client's handshake. Node.js sends no alert if it does not trust a certificate. */
async function clientHello(options: ConnectionOptions): Promise<Buffer> {
  const collector = createServer();
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void collector.close());
  const client = connectTls({ ...options, port: Object(collector.address()).port, host: '127.0.0.1' });
  client.on('error', () => {});
  const [connection] = await once(collector, 'connection');
  const [hello] = await once(connection, 'data');
  connection.destroy();
  return hello;
}

const TO_PLAIN_HTTP = 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n';

describe('a client that uses HTTP on the HTTPS port gets the error of Go', () => {
  const requests = [
    ...['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND'].map(
      (method) => `${method} /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    ),
    'CONNECT localhost:443 HTTP/1.1\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ];

  test.each(requests)('for %j', async (request) => {
    const socket = open(await start());
    socket.write(request);
    expect(await responseOn(socket)).toBe(TO_PLAIN_HTTP);
  });

  test.each(requests)('for %j in single bytes', async (request) => {
    const socket = open(await start());
    const response = responseOn(socket);
    await once(socket, 'connect');
    for (const byte of request) {
      socket.write(byte);
      await setImmediate();
    }
    expect(await response).toBe(TO_PLAIN_HTTP);
  });

  test('for a request longer than the server reads', async () => {
    const socket = open(await start());
    socket.write(`GET / HTTP/1.1\r\nX: ${'x'.repeat(1_000_000)}\r\n\r\n`);
    expect(await responseOn(socket)).toBe(TO_PLAIN_HTTP);
  });
});

describe('a TLS client', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'with %s is served if its bytes arrive one at a time',
    async (version) => {
      const live = await start();
      const proxy = createServer(async (inbound) => {
        const outbound = open(live);
        outbound.pipe(inbound.on('error', () => {}));
        for await (const chunk of inbound) {
          for (const byte of chunk) {
            outbound.write(Buffer.of(byte));
            await setImmediate();
          }
        }
      });
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => void proxy.close());
      const { port } = Object(proxy.address());
      expect(await requestByTls(port, { minVersion: version, maxVersion: version })).toBeUndefined();
    },
  );

  test.each([
    ['nothing', ''],
    ['one byte', '\x16'],
    ['the beginning of a method', 'GET'],
    ['the beginning of a handshake', '\x16\x03\x01\x02\x00\x01'],
  ])('that sends %s is disconnected at the handshake timeout', async (_what, bytes) => {
    const live = await start({ handshakeTimeoutMs: 50 });
    const socket = open(live);
    socket.write(bytes, 'latin1');
    expect(await responseOn(socket)).toBe('');
    expect(live.logged[0]).toMatchObject({ level: DEBUG, err: 'TLS handshake timeout' });
  });
});

describe('a failed handshake is logged at debug, with client and reason:', () => {
  const line = (err: string) => ({ level: DEBUG, msg: 'TLS handshake failed', client: '127.0.0.1', err });

  test.each([
    [
      'plain HTTP',
      'GET / HTTP/1.1\r\n\r\n',
      'the client does not speak TLS: does its URL begin with https://?',
    ],
    [
      'another protocol',
      'SSH-2.0-OpenSSH_9.2\r\n',
      'the client does not speak TLS: does its URL begin with https://?',
    ],
    ['a handshake without sense', '\x16\x03\x01\x00\x04\x63\0\0\0', 'unexpected message'],
  ])('%s', async (_what, bytes, err) => {
    const live = await start();
    const socket = open(live);
    socket.write(bytes, 'latin1');
    await responseOn(socket);
    await expect.poll(() => live.logged).toContainEqual(expect.objectContaining(line(err)));
  });

  test.each([
    [
      'an old version of TLS',
      { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' },
      'unsupported protocol',
    ],
    ['no cipher in common', { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' }, 'no shared cipher'],
  ] as const)('%s', async (_what, options, err) => {
    const live = await start();
    expect(await requestByTls(live.port, options)).toBeInstanceOf(Error);
    await expect.poll(() => live.logged).toContainEqual(expect.objectContaining(line(err)));
  });

  test('a server certificate that the client does not trust', async () => {
    const live = await start();
    const socket = open(live);
    socket.write(await clientHello({ maxVersion: 'TLSv1.2' }));
    await once(socket, 'data');
    socket.write('\x15\x03\x03\x00\x02\x02\x30', 'latin1');
    await responseOn(socket);
    expect(live.logged).toContainEqual(expect.objectContaining(line('tlsv1 alert unknown ca')));
  });

  test('a missing client certificate', async () => {
    const live = await start({}, VERIFY);
    await requestByTls(live.port, {});
    await expect
      .poll(() => live.logged)
      .toContainEqual(expect.objectContaining(line('the client showed no certificate')));
  });

  test.each([
    ['with a FIN', (socket: Socket) => socket.end()],
    ['with a RST', (socket: Socket) => socket.resetAndDestroy()],
  ])('a client that disconnects during the handshake %s', async (_how, hangUp) => {
    const live = await start();
    const socket = open(live);
    const arrived = once(live.server, 'connection');
    socket.write('\x16\x03\x01\x02\x00', 'latin1');
    const [connection] = await arrived;
    await expect.poll(() => connection.bytesRead).toBe(5);
    hangUp(socket);
    await expect
      .poll(() => live.logged)
      .toContainEqual(expect.objectContaining(line('the client closed the connection')));
  });

  test('but a successful handshake is not, whichever side disconnects', async () => {
    const live = await start();
    expect(await requestByTls(live.port, {})).toBeUndefined();
    const arrived = once(live.server, 'connection');
    const secured = once(live.server, 'secureConnection');
    const socket = connectTls({ port: live.port, host: '127.0.0.1', ca: authority.cert });
    const [connection] = await arrived;
    const closed = once(connection, 'close');
    await secured;
    socket.destroy();
    await closed;
    expect(live.logged).toEqual([]);
  });
});

describe('while handshakes fail', () => {
  const HOUR_MS = 3_600_000;

  test('a warning is logged once an hour, with the number of failures', async () => {
    let time = 0;
    const live = await start({ now: () => time });
    const fail = async (times: number) => {
      for (let count = 0; count < times; count += 1) {
        const socket = open(live);
        socket.write('GET / HTTP/1.1\r\n\r\n');
        await responseOn(socket);
      }
    };
    await fail(3);
    time = HOUR_MS - 1;
    await fail(2);
    time = HOUR_MS;
    await fail(2);
    time = 5 * HOUR_MS;
    await fail(1);
    const warnings = live.logged.filter(({ level }) => level === WARN);
    expect(warnings).toMatchObject(
      [1, 5, 2].map((failures) => ({
        msg: 'TLS handshakes fail',
        failures,
        client: '127.0.0.1',
        err: expect.stringContaining('does not speak TLS'),
      })),
    );
    expect(live.logged.filter(({ level }) => level === DEBUG)).toHaveLength(8);
  });

  test('connections without data, as from health checks, cause no warning', async () => {
    const live = await start();
    const connections = 20;
    for (let count = 0; count < connections; count += 1) {
      const socket = open(live);
      await once(socket, 'connect');
      if (count % 2 === 0) {
        socket.end();
      } else {
        socket.resetAndDestroy();
      }
      await closeOf(socket);
    }
    await expect.poll(() => live.logged).toHaveLength(connections);
    expect(live.logged.every(({ level }) => level === DEBUG)).toBe(true);
  });

  test('closing the server logs nothing', async () => {
    const live = await start();
    const arrived = once(live.server, 'connection');
    open(live).write('\x16\x03\x01\x02\x00', 'latin1');
    const [connection] = await arrived;
    await expect.poll(() => connection.bytesRead).toBe(5);
    const closed = once(connection, 'close');
    live.server.closeAllConnections();
    await closed;
    expect(live.logged).toEqual([]);
  });
});
