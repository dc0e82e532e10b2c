/** Requests and responses are passed on unchanged. */
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { get, post, rawClient } from './raw-client.ts';
import { type Script, startScripted } from './scripted-ollama.ts';
import { startProxyBefore } from './started-proxy.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

const responding =
  (message: string | Buffer): Script =>
  ({ socket }) =>
    socket.write(message, 'latin1');

async function start(script: Script = responding(OK)) {
  const ollama = await startScripted(script);
  const proxy = await startProxyBefore(ollama.url);
  return { ollama, proxy, client: await rawClient(proxy.port) };
}

/** What Ollama has received for these bytes of a client, except hop-by-hop headers and Host. */
async function sent(bytes: string) {
  const { ollama, client } = await start();
  const response = await client.send(bytes).response();
  expect(response.statusLine).toBe('HTTP/1.1 200 OK');
  const [{ head = '', body = Buffer.alloc(0) } = {}] = ollama.received;
  const [requestLine = '', ...lines] = head.trimEnd().split('\r\n');
  return {
    requestLine,
    body,
    lines: lines.filter((line) => !/^(connection|transfer-encoding):/i.test(line)),
  };
}

/** Both responses: from Ollama directly, and through the proxy. */
async function bothResponses(message: string | Buffer, request = get('/api/tags'), toHead = false) {
  const { ollama, client } = await start(responding(message));
  const direct = await rawClient(Number(ollama.url.port));
  return [
    await direct.send(request).response({ toHead }),
    await client.send(request).response({ toHead }),
  ] as const;
}

describe('a request arrives at Ollama with', () => {
  test.each([
    '//path',
    '/%zz',
    '/a%2Fb/../c/./d?x=%20&y[]=1&&',
    '/?',
    '/api/tags?target=http://x/#not',
    `/${'a'.repeat(60_000)}`,
  ])('the path %.40s unchanged', async (path) => {
    expect((await sent(get(path))).requestLine).toBe(`GET ${path} HTTP/1.1`);
  });

  test.each(['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND'])(
    'the method %s',
    async (method) => {
      expect((await sent(get('/x', method))).requestLine).toBe(`${method} /x HTTP/1.1`);
    },
  );

  test('the case and order of its headers, with duplicates and Latin-1', async () => {
    const lines = [
      'X-A: 1',
      'x-b: 2',
      'Accept: a/b',
      'X-A: 3',
      'X-LATIN: \xe9\xff',
      'X-Empty: ',
      'Cookie: a=b',
      'cookie: c=d',
    ];
    const { lines: received } = await sent(
      `GET /x HTTP/1.1\r\nHost: gpu-box:11435\r\n${lines.join('\r\n')}\r\n\r\n`,
    );
    expect(received.map((line) => line.trimEnd())).toEqual([
      'host: gpu-box:11435',
      ...lines.map((line) => line.trimEnd()),
    ]);
  });

  test('Host, Origin and Authorization', async () => {
    const { lines } = await sent(
      'GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: https://a\r\nAuthorization: Bearer b\r\n\r\n',
    );
    expect(lines).toEqual(['host: evil.example', 'Origin: https://a', 'Authorization: Bearer b']);
  });

  test('no hop-by-hop headers', async () => {
    const { lines } = await sent(
      get(
        '/x',
        'GET',
        'Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: a\r\nTE: trailers\r\nUpgrade: h2c\r\nX-Stays: 1\r\n',
      ),
    );
    expect(lines).toEqual(['host: ollama', 'X-Stays: 1']);
  });

  test('its whole body, even if Connection lists Content-Length', async () => {
    const { body } = await sent(post('/x', 'hello', 'Connection: content-length, host\r\n'));
    expect(body.toString()).toBe('hello');
  });

  test('Accept-Encoding only if it is not measured', async () => {
    expect((await sent(get('/api/tags', 'GET', 'Accept-Encoding: gzip\r\n'))).lines).toContain(
      'Accept-Encoding: gzip',
    );
    const { lines } = await sent(post('/api/chat?x', '{}', 'ACCEPT-encoding: gzip\r\nX-B: 1\r\n'));
    expect(lines).toEqual(['host: ollama', 'X-B: 1', 'content-length: 2']);
  });

  test.each([
    ['with its length', (body: string) => post('/api/create', body)],
    [
      'in chunks',
      (body: string) =>
        `POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ],
    ['of a DELETE', (body: string) => post('/api/delete', body).replace('POST', 'DELETE')],
    ['of a GET', (body: string) => post('/api/tags', body).replace('POST', 'GET')],
  ])('its body %s', async (_, request) => {
    for (const body of ['{"model":"a"}', 'x'.repeat(300_000)]) {
      expect((await sent(request(body))).body.toString()).toBe(body);
    }
  });

  test('a body compressed with zstd unchanged', async () => {
    const body = randomBytes(5_000).toString('latin1');
    const request = `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Encoding: zstd\r\nContent-Length: 5000\r\n\r\n${body}`;
    const received = await sent(request);
    expect(received.body.toString('latin1')).toBe(body);
    expect(received.lines).toContain('Content-Encoding: zstd');
  });

  test('the body of a client that expects 100 Continue', async () => {
    const { ollama, client } = await start();
    client.send('POST /api/chat HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
    await client.until((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
    client.send('{}');
    await client.until((text) => text.includes('200 OK'));
    expect(ollama.received[0]?.head).not.toMatch(/expect/i);
    expect(ollama.received[0]?.body.toString()).toBe('{}');
  });

  test('more and longer headers than the default limit of Node.js', async () => {
    const many = Array.from({ length: 3_000 }, (_, index) => `X-${index}: ${'v'.repeat(50)}`);
    const { lines } = await sent(get('/x', 'GET', `${many.join('\r\n')}\r\n`));
    expect(lines.slice(1)).toEqual(many);
  });

  test('its HTTP/1.0 response ended by closing the connection', async () => {
    const stream = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n';
    const { client } = await start(responding(stream));
    const response = await client.send('GET /x HTTP/1.0\r\n\r\n').response({ untilClosed: true });
    expect([response.body.toString(), client.ended]).toEqual(['abc', 'closed']);
  });
});

describe('a response arrives at the client with', () => {
  test.each([
    [
      'the case and order of its headers, with duplicates and Latin-1',
      'HTTP/1.1 200 OK\r\nX-B: 1\r\ncontent-TYPE: a\r\nX-A: 2\r\nSet-Cookie: a\r\nX-B: \xe9\xff\r\nset-cookie: b\r\nX-Empty: \r\nContent-Length: 1\r\n\r\nx',
    ],
    ['no additional header, such as Date', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a custom reason phrase', 'HTTP/1.1 200 Sure thing\r\nContent-Length: 0\r\n\r\n'],
    ['an empty reason phrase', 'HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n'],
    ['an unregistered status', 'HTTP/1.1 799 Odd\r\nContent-Length: 1\r\n\r\nx'],
    [
      '404 and its body',
      'HTTP/1.1 404 Not Found\r\nContent-Length: 25\r\n\r\n{"error":"not found here"}'.replace('25', '26'),
    ],
    [
      '503 and its body',
      'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 16\r\n\r\n{"error":"busy!"}'.replace('16', '17'),
    ],
    ['204, which has no body', 'HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n'],
    ['304, which has no body', 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'],
    [
      'a chunked body',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n',
    ],
    [
      'trailers',
      'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n',
    ],
    ['a redirect', 'HTTP/1.1 307 Temporary Redirect\r\nLocation: /api/chat\r\nContent-Length: 0\r\n\r\n'],
  ])('%s', async (_, message) => {
    const [direct, through] = await bothResponses(message);
    expect(direct.complete).toBe(true);
    expect(through).toEqual(direct);
  });

  test("the default reason phrase if Node.js can't send the original", async () => {
    const [, through] = await bothResponses('HTTP/1.1 200 \xe9\xff\r\nContent-Length: 0\r\n\r\n');
    expect(through.statusLine).toBe('HTTP/1.1 200 OK');
  });

  test('headers only, to HEAD', async () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 17\r\n\r\n';
    const [direct, through] = await bothResponses(head, get('/', 'HEAD'), true);
    expect(through).toEqual(direct);
    expect(through.headers).toContain('Content-Length: 17');
  });

  test('no hop-by-hop headers', async () => {
    const { client } = await start(
      responding(
        'HTTP/1.1 200 OK\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\nUpgrade: h2\r\nX-Stays: 1\r\nContent-Length: 0\r\n\r\n',
      ),
    );
    await client.send(get('/x')).until((text) => text.includes('\r\n\r\n'));
    expect(client.text).not.toMatch(/X-Hop|timeout=1\r|Upgrade/);
    expect(client.text).toContain('X-Stays: 1');
    expect(client.ended).toBe('open');
  });

  test('a body that ends with the connection of Ollama', async () => {
    const { client } = await start(({ socket }) => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it'));
    const response = await client.send(get('/x')).response();
    expect([response.body.toString(), response.complete]).toEqual(['all of it', true]);
  });

  test('a compressed body unchanged, without counting its tokens', async () => {
    const body = gzipSync('{"model":"a","done":true,"eval_count":5}');
    const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`;
    const { client, proxy } = await start(responding(Buffer.concat([Buffer.from(head), body])));
    expect((await client.send(post('/api/generate', '{}')).response()).body).toEqual(body);
    expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['generate  ok 1']);
    expect(await proxy.counted('ollama_proxy_responses_without_usage_total')).toEqual(['generate  1']);
  });

  test('interim responses removed', async () => {
    const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n';
    const { client } = await start(responding(interim + OK));
    const response = await client.send(get('/x')).response();
    expect([response.statusLine, response.body.toString()]).toEqual(['HTTP/1.1 200 OK', 'ok']);
  });

  test('other responses before it, in order of their requests', async () => {
    const { ollama, client } = await start();
    const waiting: Array<() => void> = [];
    ollama.script = ({ socket, head }) => {
      const name = head.split(' ')[1] ?? '';
      waiting.push(() => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`));
    };
    client.send(get('/first') + get('/second') + get('/third'));
    for (const name of ['/first', '/second', '/third']) {
      await expect.poll(() => waiting.length).toBe(1);
      waiting.shift()?.();
      expect((await client.response()).body.toString()).toBe(name);
    }
  });
});

describe('a request is rejected with 400, and not passed on, if it has', () => {
  test.each([
    ['an absolute URL', 'GET http://127.0.0.1/api/ps HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['OPTIONS * as its request line', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a second Host header', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ])('%s', async (_, request) => {
    const { ollama, proxy, client } = await start();
    const response = await client.send(request).response();
    expect(response.statusLine).toBe('HTTP/1.1 400 Bad Request');
    expect(JSON.parse(response.body.toString())).toEqual({ error: expect.any(String) });
    expect(ollama.received).toEqual([]);
    expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['other  bad_request 1']);
  });

  test.each([
    [
      'Transfer-Encoding and Content-Length',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'two values of Content-Length',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
    ],
    ['a path with non-ASCII characters', 'GET /\xe9 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
    ['no Host header', 'GET / HTTP/1.1\r\n\r\n'],
    ['a space in the path', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('%s, by Node.js', async (_, request) => {
    const { ollama, client } = await start();
    const response = await client.send(request).response({ untilClosed: true });
    expect(response.statusLine).toBe('HTTP/1.1 400 Bad Request');
    expect(ollama.received).toEqual([]);
  });
});

test('CONNECT closes the connection', async () => {
  const { ollama, client } = await start();
  await client.send('CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n').closed();
  expect([client.text, ollama.received]).toEqual(['', []]);
});

test('an Upgrade header is ignored', async () => {
  const { client } = await start();
  const response = await client
    .send(get('/x', 'GET', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'))
    .response();
  expect(response.body.toString()).toBe('ok');
});

test('the path prefix of --ollama.url is added to each path', async () => {
  const ollama = await startScripted(responding(OK));
  const proxy = await startProxyBefore(new URL('/ollama/', ollama.url));
  const client = await rawClient(proxy.port);
  await client.send(get('/api/tags?x')).response();
  expect(ollama.received[0]?.head).toMatch(/^GET \/ollama\/api\/tags\?x HTTP/);
});

test('requests with different Host headers share a connection', async () => {
  const { ollama, client } = await start();
  for (const host of ['a', 'b', 'c']) {
    await client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`).response();
  }
  expect(ollama.received.map(({ nth }) => nth)).toEqual([1, 2, 3]);
});
