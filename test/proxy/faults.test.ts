/** Disconnects on either side: the other side is closed at once, and nothing is sent twice. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { newAuthority } from '../certificates.ts';
import { get, post, type RawClient, rawClient } from './raw-client.ts';
import { type Script, startScripted } from './scripted-ollama.ts';
import { startProxyBefore } from './started-proxy.ts';

const STREAM = 'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** As documented for clients that wait for a GPU. */
const AT_ONCE_MS = 50;

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

const TOKEN = chunk('{"model":"a","response":"x","done":false}\n');
const DONE = chunk('{"model":"a","response":"","done":true,"eval_count":3}\n');

async function start(script: Script) {
  const ollama = await startScripted(script);
  const proxy = await startProxyBefore(ollama.url);
  return { ollama, proxy, client: await rawClient(proxy.port) };
}

/** Milliseconds until the connection has closed after this. */
async function endsAfter(socket: Socket, act: () => void): Promise<number> {
  const ended = once(socket, 'close');
  const startMs = performance.now();
  act();
  await ended;
  return performance.now() - startMs;
}

const DISCONNECTS: ReadonlyArray<readonly [string, (client: RawClient) => void]> = [
  ['closes', ({ socket }) => socket.destroy()],
  ['resets', ({ socket }) => socket.resetAndDestroy()],
  ['ends', ({ socket }) => socket.end()],
];

describe.each(DISCONNECTS)(
  'a client that %s its connection cancels the request to Ollama within 50 ms',
  (_, disconnect) => {
    test('before the response headers', async () => {
      const { ollama, proxy, client } = await start(() => {});
      client.send(post('/api/generate', '{}'));
      await expect.poll(() => ollama.received.length).toBe(1);
      const [{ socket } = { socket: client.socket }] = ollama.received;
      expect(await endsAfter(socket, () => disconnect(client))).toBeLessThan(AT_ONCE_MS);
      expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['generate  client_gone 1']);
      expect(await proxy.counted('ollama_proxy_requests_in_flight')).toEqual([]);
    });

    test('during the response', async () => {
      const { ollama, proxy, client } = await start(({ socket }) => socket.write(STREAM + TOKEN));
      await client.send(post('/api/generate', '{}')).until((text) => text.includes('"x"'));
      const [{ socket } = { socket: client.socket }] = ollama.received;
      expect(await endsAfter(socket, () => disconnect(client))).toBeLessThan(AT_ONCE_MS);
      expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['generate a:latest client_gone 1']);
    });

    test('during its request', async () => {
      const { ollama, client } = await start(() => {});
      client.send('POST /api/blobs/sha256-a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf');
      await expect.poll(() => ollama.sockets.size).toBe(1);
      const [socket = client.socket] = ollama.sockets;
      expect(await endsAfter(socket, () => disconnect(client))).toBeLessThan(AT_ONCE_MS);
      expect(ollama.received).toEqual([]);
    });
  },
);

test('a client that disconnects while sending a small body sends no request to Ollama', async () => {
  const { ollama, proxy, client } = await start(() => {});
  client.send('POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{');
  await expect.poll(() => proxy.counted('ollama_proxy_requests_in_flight')).toEqual(['chat 1']);
  client.socket.destroy();
  await expect.poll(() => proxy.counted('ollama_proxy_requests_total')).toEqual(['chat  client_gone 1']);
  expect(ollama.sockets.size).toBe(0);
});

test('a client that disconnects before Ollama is connected sends no request to Ollama', async () => {
  const authority = await newAuthority();
  const ollama = await startScripted(({ socket }) => socket.write(OK), await authority.issue());
  let connect = () => {};
  const held = new Promise<void>((resolve) => {
    connect = resolve;
  });
  const tls = async () => {
    await held;
    return { ca: authority.cert };
  };
  const proxy = await startProxyBefore(ollama.url, { tls });
  const client = await rawClient(proxy.port);
  client.send(post('/api/generate', '{}'));
  await expect.poll(() => proxy.counted('ollama_proxy_requests_in_flight')).toEqual(['generate 1']);
  client.socket.destroy();
  await expect.poll(() => proxy.counted('ollama_proxy_requests_total')).toEqual(['generate  client_gone 1']);
  connect();
  const next = await rawClient(proxy.port);
  await next.send(get('/api/tags')).response();
  expect(ollama.received.map(({ head }) => head.split(' ')[1])).toEqual(['/api/tags']);
});

test('a client that disconnects after the last line counts as ok', async () => {
  const { ollama, proxy, client } = await start(({ socket }) => socket.write(STREAM + TOKEN + DONE));
  await client.send(post('/api/generate', '{}')).until((text) => text.includes('eval_count'));
  const [{ socket } = { socket: client.socket }] = ollama.received;
  await endsAfter(socket, () => client.socket.destroy());
  expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['generate a:latest ok 1']);
  expect(await proxy.counted('ollama_proxy_generated_tokens_total')).toEqual(['generate a:latest 3']);
});

describe('a response that Ollama cuts off', () => {
  const CUTS: ReadonlyArray<readonly [string, (socket: Socket) => void]> = [
    ['by closing', (socket) => socket.end()],
    ['by a reset', (socket) => socket.resetAndDestroy()],
  ];
  const STARTS: ReadonlyArray<readonly [string, string, string]> = [
    ['in a chunk', `${STREAM}${TOKEN}ff\r\nhalf of`, ''],
    ['between two chunks', STREAM + TOKEN, '{"model":"a","response":"x","done":false}\n'],
    ['after the headers', STREAM, ''],
    ['before the last chunk', STREAM + TOKEN + DONE, ''],
    ['before its Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of', 'half of'],
  ];
  const CASES = CUTS.flatMap(([how, cut]) =>
    STARTS.map(([when, bytes, body]) => [how, when, cut, bytes, body] as const),
  );

  test.each(CASES)('%s, %s, is cut off for the client', async (_how, _when, cut, bytes, body) => {
    const { proxy, client } = await start(({ socket }) =>
      socket.write(bytes, () => setImmediate(cut, socket)),
    );
    const response = await client.send(post('/api/generate', '{}')).response();
    expect(response.complete).toBe(false);
    expect(response.body.toString()).toContain(body);
    expect(client.ended).not.toBe('open');
    const [counted = ''] = await proxy.counted('ollama_proxy_requests_total');
    expect(counted).toMatch(/^generate \S* ?cut 1$/);
  });

  test('resets the connection of an HTTP/1.0 client', async () => {
    const { client } = await start(({ socket }) => socket.end(STREAM + TOKEN));
    await client.send('POST /api/generate HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}').closed();
    expect(client.text).toContain('"x"');
    expect(client.ended).toBe('reset');
  });

  test('is never complete for the client, at 200 different cuts', async () => {
    const whole = Buffer.from(STREAM + TOKEN.repeat(3) + DONE);
    let at = 0;
    const { proxy } = await start(({ socket }) => socket.end(whole.subarray(0, at)));
    for (let turn = 0; turn < 200; turn += 1) {
      at = STREAM.length + Math.floor((turn / 200) * (whole.length - STREAM.length));
      const client = await rawClient(proxy.port);
      expect((await client.send(post('/api/generate', '{}')).response()).complete, `cut at ${at}`).toBe(
        false,
      );
      client.socket.destroy();
    }
    expect(
      await proxy.value('ollama_proxy_requests_total', { outcome: 'ok', model: '', api: 'generate' }),
    ).toBe(0);
  });
});

describe('if Ollama is unreachable', () => {
  test.each([
    ['/api/chat', { error: 'the proxy gets no response from Ollama: refused' }],
    ['/api/tags', { error: 'the proxy gets no response from Ollama: refused' }],
    [
      '/v1/chat/completions',
      {
        error: {
          message: 'the proxy gets no response from Ollama: refused',
          type: 'api_error',
          param: null,
          code: null,
        },
      },
    ],
    [
      '/v1/models',
      {
        error: {
          message: 'the proxy gets no response from Ollama: refused',
          type: 'api_error',
          param: null,
          code: null,
        },
      },
    ],
    [
      '/v1/messages',
      {
        type: 'error',
        error: { type: 'api_error', message: 'the proxy gets no response from Ollama: refused' },
      },
    ],
  ])('the response is 502, with the error format of %s', async (path, body) => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = Object(server.address());
    await new Promise((resolve) => server.close(resolve));
    const proxy = await startProxyBefore(new URL(`http://127.0.0.1:${port}`));
    const client = await rawClient(proxy.port);
    const response = await client.send(post(path, '{}')).response();
    expect([response.statusLine, JSON.parse(response.body.toString())]).toEqual([
      'HTTP/1.1 502 Bad Gateway',
      body,
    ]);
    expect(await proxy.counted('ollama_proxy_requests_total')).toEqual([
      expect.stringMatching(/ {2}unreachable 1$/),
    ]);
  });

  test('a large upload gets the 502, too', async () => {
    const { ollama, client } = await start(({ socket }) => socket.resetAndDestroy());
    ollama.script = ({ socket }) => socket.resetAndDestroy();
    const response = await client.send(post('/api/create', 'x'.repeat(5_000_000))).response();
    expect(response.statusLine).toBe('HTTP/1.1 502 Bad Gateway');
  });
});

test('a response sent before the whole request was read arrives in full', async () => {
  const body = 'e'.repeat(300_000);
  const head = `HTTP/1.1 413 Too Large\r\nContent-Length: ${body.length}\r\n\r\n`;
  const ollama = await startScripted(() => {});
  const early = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.pause().write(head + body));
    onTestFinished(() => void socket.destroy());
  });
  await once(early.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void early.close());
  const { port } = Object(early.address());
  const proxy = await startProxyBefore(new URL(`http://127.0.0.1:${port}`));
  const client = await rawClient(proxy.port);
  client.send(
    `POST /api/create HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n${'x'.repeat(1_000_000)}`,
  );
  const response = await client.response();
  expect([response.statusLine, response.body.length, response.complete]).toEqual([
    'HTTP/1.1 413 Too Large',
    body.length,
    true,
  ]);
  expect(ollama.received).toEqual([]);
});

describe('if a kept-alive connection closes when the next request is sent,', () => {
  /** Responds to the first request of each connection, and resets it at the second. */
  const resetAtSecond: Script = ({ socket, nth }) =>
    nth === 1 ? socket.write(OK) : socket.resetAndDestroy();

  async function second(request: string, script = resetAtSecond) {
    const { ollama, client } = await start(script);
    await client.send(get('/api/version')).response();
    const response = await client.send(request).response({ toHead: request.startsWith('HEAD') });
    return { times: ollama.received.length - 1, status: response.statusLine };
  }

  test.each([
    ['GET', get('/api/tags')],
    ['HEAD', get('/', 'HEAD')],
  ])('a %s is retried once', async (_, request) => {
    expect(await second(request)).toEqual({ times: 2, status: 'HTTP/1.1 200 OK' });
  });

  test.each([
    ['POST', post('/api/generate', '{}')],
    ['POST without a body', get('/api/me', 'POST')],
    ['DELETE', post('/api/delete', '{}').replace('POST', 'DELETE')],
    ['GET with a body', post('/api/tags', '{}').replace('POST', 'GET')],
    ['OPTIONS', get('/api/tags', 'OPTIONS')],
  ])('a %s is not retried', async (_, request) => {
    expect(await second(request)).toEqual({ times: 1, status: 'HTTP/1.1 502 Bad Gateway' });
  });

  test('a GET with a partial response is not retried', async () => {
    const partly: Script = ({ socket, nth }) =>
      nth === 1 ? socket.write(OK) : socket.end('HTTP/1.1 200 OK\r\nContent-Le');
    expect(await second(get('/api/tags'), partly)).toEqual({ times: 1, status: 'HTTP/1.1 502 Bad Gateway' });
  });

  test('a GET is retried only once', async () => {
    let responded = false;
    const once: Script = ({ socket }) => {
      if (responded) {
        socket.resetAndDestroy();
      } else {
        responded = true;
        socket.write(OK);
      }
    };
    expect(await second(get('/api/tags'), once)).toEqual({ times: 2, status: 'HTTP/1.1 502 Bad Gateway' });
  });
});

test('a GET on a new connection is not retried', async () => {
  const { ollama, client } = await start(({ socket }) => socket.resetAndDestroy());
  expect((await client.send(get('/api/tags')).response()).statusLine).toBe('HTTP/1.1 502 Bad Gateway');
  expect(ollama.received.length).toBe(1);
});
