/** Whoever leaves or breaks in the middle: the other side sees it at once, and nothing is sent twice. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { newAuthority } from '../certificates.ts';
import { get, post, type RawClient, rawClient } from './raw-client.ts';
import { type Script, startScripted } from './scripted-ollama.ts';
import { startProxyBefore } from './started-proxy.ts';

const STREAM = 'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** As promised to clients that wait for a GPU to be free. */
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

/** Milliseconds until the connection has ended after this. */
async function endsAfter(socket: Socket, act: () => void): Promise<number> {
  const ended = once(socket, 'close');
  const startMs = performance.now();
  act();
  await ended;
  return performance.now() - startMs;
}

const WAYS: ReadonlyArray<readonly [string, (client: RawClient) => void]> = [
  ['closes', ({ socket }) => socket.destroy()],
  ['resets', ({ socket }) => socket.resetAndDestroy()],
  ['ends', ({ socket }) => socket.end()],
];

describe.each(WAYS)('a client that %s its connection ends the request to Ollama at once', (_, leave) => {
  test('before the head of an answer', async () => {
    const { ollama, proxy, client } = await start(() => {});
    client.send(post('/api/generate', '{}'));
    await expect.poll(() => ollama.received.length).toBe(1);
    const [{ socket } = { socket: client.socket }] = ollama.received;
    expect(await endsAfter(socket, () => leave(client))).toBeLessThan(AT_ONCE_MS);
    expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['generate  client_gone 1']);
    expect(await proxy.counted('ollama_proxy_requests_in_flight')).toEqual([]);
  });

  test('in the middle of an answer', async () => {
    const { ollama, proxy, client } = await start(({ socket }) => socket.write(STREAM + TOKEN));
    await client.send(post('/api/generate', '{}')).until((text) => text.includes('"x"'));
    const [{ socket } = { socket: client.socket }] = ollama.received;
    expect(await endsAfter(socket, () => leave(client))).toBeLessThan(AT_ONCE_MS);
    expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['generate a:latest client_gone 1']);
  });

  test('in the middle of its own request', async () => {
    const { ollama, client } = await start(() => {});
    client.send('POST /api/blobs/sha256-a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf');
    await expect.poll(() => ollama.sockets.size).toBe(1);
    const [socket = client.socket] = ollama.sockets;
    expect(await endsAfter(socket, () => leave(client))).toBeLessThan(AT_ONCE_MS);
    expect(ollama.received).toEqual([]);
  });
});

test('a client that leaves in the middle of a short request costs no request', async () => {
  const { ollama, proxy, client } = await start(() => {});
  client.send('POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{');
  await expect.poll(() => proxy.counted('ollama_proxy_requests_in_flight')).toEqual(['chat 1']);
  client.socket.destroy();
  await expect.poll(() => proxy.counted('ollama_proxy_requests_total')).toEqual(['chat  client_gone 1']);
  expect(ollama.sockets.size).toBe(0);
});

test('a client that leaves before Ollama is connected costs no request', async () => {
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
  await next.send(get('/api/tags')).answer();
  expect(ollama.received.map(({ head }) => head.split(' ')[1])).toEqual(['/api/tags']);
});

test('a client that leaves after the end mark has all: that is ok', async () => {
  const { ollama, proxy, client } = await start(({ socket }) => socket.write(STREAM + TOKEN + DONE));
  await client.send(post('/api/generate', '{}')).until((text) => text.includes('eval_count'));
  const [{ socket } = { socket: client.socket }] = ollama.received;
  await endsAfter(socket, () => client.socket.destroy());
  expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['generate a:latest ok 1']);
  expect(await proxy.counted('ollama_proxy_generated_tokens_total')).toEqual(['generate a:latest 3']);
});

describe('an answer that Ollama cuts', () => {
  const CUTS: ReadonlyArray<readonly [string, (socket: Socket) => void]> = [
    ['by closing', (socket) => socket.end()],
    ['by a reset', (socket) => socket.resetAndDestroy()],
  ];
  const STARTS: ReadonlyArray<readonly [string, string, string]> = [
    ['in a chunk', `${STREAM}${TOKEN}ff\r\nhalf of`, ''],
    ['between two chunks', STREAM + TOKEN, '{"model":"a","response":"x","done":false}\n'],
    ['after its head', STREAM, ''],
    ['before its last chunk', STREAM + TOKEN + DONE, ''],
    ['before its length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of', 'half of'],
  ];
  const CASES = CUTS.flatMap(([how, cut]) =>
    STARTS.map(([when, bytes, body]) => [how, when, cut, bytes, body] as const),
  );

  test.each(CASES)('%s, %s, is cut for the client, too', async (_how, _when, cut, bytes, body) => {
    const { proxy, client } = await start(({ socket }) =>
      socket.write(bytes, () => setImmediate(cut, socket)),
    );
    const answer = await client.send(post('/api/generate', '{}')).answer();
    expect(answer.complete).toBe(false);
    expect(answer.body.toString()).toContain(body);
    expect(client.ended).not.toBe('open');
    const [counted = ''] = await proxy.counted('ollama_proxy_requests_total');
    expect(counted).toMatch(/^generate \S* ?cut 1$/);
  });

  test('is a connection that is reset for a client of HTTP/1.0, which knows no other sign', async () => {
    const { client } = await start(({ socket }) => socket.end(STREAM + TOKEN));
    await client.send('POST /api/generate HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}').closed();
    expect(client.text).toContain('"x"');
    expect(client.ended).toBe('reset');
  });

  test('never has a clean end, of 200 that are cut at different places', async () => {
    const whole = Buffer.from(STREAM + TOKEN.repeat(3) + DONE);
    let at = 0;
    const { proxy } = await start(({ socket }) => socket.end(whole.subarray(0, at)));
    for (let turn = 0; turn < 200; turn += 1) {
      at = STREAM.length + Math.floor((turn / 200) * (whole.length - STREAM.length));
      const client = await rawClient(proxy.port);
      expect((await client.send(post('/api/generate', '{}')).answer()).complete, `cut at ${at}`).toBe(false);
      client.socket.destroy();
    }
    expect(
      await proxy.value('ollama_proxy_requests_total', { outcome: 'ok', model: '', api: 'generate' }),
    ).toBe(0);
  });
});

describe('where Ollama can not be reached', () => {
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
  ])('the answer is 502, in the shape that %s has', async (path, body) => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = Object(server.address());
    await new Promise((resolve) => server.close(resolve));
    const proxy = await startProxyBefore(new URL(`http://127.0.0.1:${port}`));
    const client = await rawClient(proxy.port);
    const answer = await client.send(post(path, '{}')).answer();
    expect([answer.statusLine, JSON.parse(answer.body.toString())]).toEqual([
      'HTTP/1.1 502 Bad Gateway',
      body,
    ]);
    expect(await proxy.counted('ollama_proxy_requests_total')).toEqual([
      expect.stringMatching(/ {2}unreachable 1$/),
    ]);
  });

  test('a large upload still gets its 502', async () => {
    const { ollama, client } = await start(({ socket }) => socket.resetAndDestroy());
    ollama.script = ({ socket }) => socket.resetAndDestroy();
    const answer = await client.send(post('/api/create', 'x'.repeat(5_000_000))).answer();
    expect(answer.statusLine).toBe('HTTP/1.1 502 Bad Gateway');
  });
});

test('an answer that comes before the request was read to its end arrives whole', async () => {
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
  const answer = await client.answer();
  expect([answer.statusLine, answer.body.length, answer.complete]).toEqual([
    'HTTP/1.1 413 Too Large',
    body.length,
    true,
  ]);
  expect(ollama.received).toEqual([]);
});

describe('on a kept connection that dies as the next request comes', () => {
  /** Answers the first request of each connection, and resets it at the second. */
  const dying: Script = ({ socket, nth }) => (nth === 1 ? socket.write(OK) : socket.resetAndDestroy());

  async function second(request: string, script = dying) {
    const { ollama, client } = await start(script);
    await client.send(get('/api/version')).answer();
    const answer = await client.send(request).answer({ toHead: request.startsWith('HEAD') });
    return { times: ollama.received.length - 1, status: answer.statusLine };
  }

  test.each([
    ['GET', get('/api/tags')],
    ['HEAD', get('/', 'HEAD')],
  ])('a %s is sent once more', async (_, request) => {
    expect(await second(request)).toEqual({ times: 2, status: 'HTTP/1.1 200 OK' });
  });

  test.each([
    ['POST', post('/api/generate', '{}')],
    ['POST without a body', get('/api/me', 'POST')],
    ['DELETE', post('/api/delete', '{}').replace('POST', 'DELETE')],
    ['GET with a body', post('/api/tags', '{}').replace('POST', 'GET')],
    ['OPTIONS', get('/api/tags', 'OPTIONS')],
  ])('a %s is not', async (_, request) => {
    expect(await second(request)).toEqual({ times: 1, status: 'HTTP/1.1 502 Bad Gateway' });
  });

  test('a GET of which part of an answer has come is not', async () => {
    const partly: Script = ({ socket, nth }) =>
      nth === 1 ? socket.write(OK) : socket.end('HTTP/1.1 200 OK\r\nContent-Le');
    expect(await second(get('/api/tags'), partly)).toEqual({ times: 1, status: 'HTTP/1.1 502 Bad Gateway' });
  });

  test('a GET is not sent a third time', async () => {
    let answered = false;
    const once: Script = ({ socket }) => {
      if (answered) {
        socket.resetAndDestroy();
      } else {
        answered = true;
        socket.write(OK);
      }
    };
    expect(await second(get('/api/tags'), once)).toEqual({ times: 2, status: 'HTTP/1.1 502 Bad Gateway' });
  });
});

test('a GET on a new connection is sent once, though that dies', async () => {
  const { ollama, client } = await start(({ socket }) => socket.resetAndDestroy());
  expect((await client.send(get('/api/tags')).answer()).statusLine).toBe('HTTP/1.1 502 Bad Gateway');
  expect(ollama.received.length).toBe(1);
});
