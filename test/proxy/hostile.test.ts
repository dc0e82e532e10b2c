/** Requests and responses that no well-behaved client or Ollama sends. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { randomNumbers } from '../../src/demo/workload.ts';
import type { ProxyOptions } from '../../src/proxy/proxy-server.ts';
import { get, post, rawClient } from './raw-client.ts';
import { type Script, startScripted } from './scripted-ollama.ts';
import { startProxyBefore } from './started-proxy.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

async function start(script: Script | string, more: Partial<ProxyOptions> = {}) {
  const ollama = await startScripted(
    typeof script === 'string' ? ({ socket }) => socket.write(script, 'latin1') : script,
  );
  const proxy = await startProxyBefore(ollama.url, more);
  return { ollama, proxy, client: await rawClient(proxy.port) };
}

describe('a request is rejected, and not forwarded,', () => {
  test.each([
    ['gzip, chunked', 'Transfer-Encoding: gzip, chunked\r\n'],
    ['gzip in a header of its own', 'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n'],
  ])('with 501 for a body with the transfer coding %s', async (_, coding) => {
    const { ollama, proxy, client } = await start(OK);
    client.send(`POST /api/create HTTP/1.1\r\nHost: a\r\n${coding}\r\n1\r\nx\r\n0\r\n\r\n`);
    expect((await client.response()).statusLine).toBe('HTTP/1.1 501 Not Implemented');
    expect(ollama.received).toEqual([]);
    expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['other  error 1']);
  });

  test('with 431 for more than 10,000 headers', async () => {
    const { ollama, client } = await start(OK);
    client.send(get('/api/tags', 'GET', 'a:\r\n'.repeat(200_000)));
    expect((await client.response()).statusLine).toBe('HTTP/1.1 431 Request Header Fields Too Large');
    expect(ollama.received).toEqual([]);
  });

  test('not for 10,000 headers', async () => {
    const { ollama, client } = await start(OK);
    client.send(get('/api/tags', 'GET', 'a: \r\n'.repeat(9_999)));
    expect((await client.response()).statusLine).toBe('HTTP/1.1 200 OK');
    expect(ollama.received[0]?.head.match(/^a: \r$/gm)).toHaveLength(9_999);
  });
});

describe('a response', () => {
  test.each([
    ['200', `HTTP/1.1 200 OK\r\n${'a:\r\n'.repeat(100_000)}Content-Length: 2\r\n\r\nok`],
    [
      'trailers of a 200',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'a:\r\n'.repeat(100_000)}\r\n`,
    ],
  ])('with 100,000 headers is not forwarded: %s', async (_, bytes) => {
    const { proxy, client } = await start(bytes);
    const response = await client.send(get('/api/tags')).response();
    expect(response.statusLine === 'HTTP/1.1 502 Bad Gateway' || !response.complete).toBe(true);
    const [counted = ''] = await proxy.counted('ollama_proxy_requests_total');
    expect(counted).toMatch(/^other {2}(unreachable|cut) 1$/);
  });

  test.each([
    ['POST', post('/api/chat', '{}'), 'ok'],
    ['HEAD', get('/api/tags', 'HEAD'), ''],
    ['HTTP/1.0', 'POST /api/chat HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}', 'ok'],
  ])('that can have no trailers is forwarded without the header Trailer, to %s', async (_, request, body) => {
    const { client } = await start('HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nContent-Length: 2\r\n\r\nok');
    const response = await client.send(request).response({ toHead: request.startsWith('HEAD') });
    expect([response.statusLine, response.headers, response.body.toString()]).toEqual([
      'HTTP/1.1 200 OK',
      ['Content-Length: 2'],
      body,
    ]);
  });

  test.each([204, 304])(
    'of status %i is forwarded with a Content-Length, though it never has a body',
    async (status) => {
      const head = `HTTP/1.1 ${status} Fine\r\nContent-Length: 5`;
      const { proxy, client } = await start(`${head}\r\n\r\n`);
      const response = await client.send(get('/api/tags')).response();
      expect([response.statusLine, ...response.headers].join('\r\n')).toBe(head);
      expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['other  ok 1']);
      expect((await client.send(get('/api/tags')).response()).statusLine).toBe(`HTTP/1.1 ${status} Fine`);
    },
  );

  test('after an interim response of 40 KB is forwarded alone', async () => {
    const { client } = await start(async ({ socket }) => {
      socket.write('HTTP/1.1 103 Early Hints\r\n');
      for (let index = 0; index < 4; index += 1) {
        await delay(5);
        socket.write(`Link: ${'a'.repeat(10_000)}\r\n`);
      }
      socket.write(`\r\n${OK}`);
    });
    const response = await client.send(get('/api/tags')).response();
    expect([response.statusLine, response.body.toString()]).toEqual(['HTTP/1.1 200 OK', 'ok']);
  });
});

test('no request is in flight after clients disconnected during 30 pipelined requests', async () => {
  const { proxy } = await start(async ({ socket }) => {
    await delay(Math.random() * 5);
    socket.write(OK);
  });
  const left = Array.from({ length: 60 }, async (_, index) => {
    const { socket } = await rawClient(proxy.port);
    const closed = once(socket, 'close');
    socket.write(post('/api/generate', '{}').repeat(30));
    await delay(index);
    socket.resetAndDestroy();
    await closed;
  });
  await Promise.all(left);
  await expect.poll(() => proxy.counted('ollama_proxy_requests_in_flight')).toEqual([]);
});

test('no POST of 300 is sent twice to an Ollama whose connections close at random', async () => {
  const random = randomNumbers(7);
  const { ollama, proxy } = await start(({ socket }) => {
    const moment = Math.floor(random() * 5);
    if (moment === 0) {
      socket.resetAndDestroy();
    } else if (moment === 1) {
      socket.end();
    } else {
      socket.write(OK, () => setTimeout(() => moment === 2 && socket.destroy(), random() * 3));
    }
  });
  for (let turn = 0; turn < 100; turn += 1) {
    const clients = await Promise.all(Array.from({ length: 3 }, () => rawClient(proxy.port)));
    const responses = clients.map((client, index) => client.send(post(`/${turn}/${index}`, '{}')).response());
    for (const { statusLine } of await Promise.all(responses)) {
      expect(statusLine).toMatch(/ (200 OK|502 Bad Gateway)$/);
    }
  }
  const paths = ollama.received.map(({ head }) => head.split(' ')[1]);
  expect(paths.length).toBeGreaterThan(200);
  expect(new Set(paths).size).toBe(paths.length);
});

test('the Authorization of a pipelined request is not forwarded if passwords are disabled meanwhile', async () => {
  let asks = true;
  let answerFirst = () => {};
  const { ollama, client } = await start(
    ({ socket, head }) => {
      const send = () => socket.write(OK);
      if (head.includes('/first')) {
        answerFirst = send;
      } else {
        send();
      }
    },
    { requiresPassword: () => asks },
  );
  const secret = 'Authorization: Basic secret\r\n';
  client.send(get('/first', 'GET', secret) + get('/second', 'GET', secret));
  await expect.poll(() => ollama.received.length).toBe(1);
  asks = false;
  answerFirst();
  await client.until((text) => text.match(/ok/g)?.length === 2);
  expect(ollama.received.map(({ head }) => head).join('')).not.toContain('secret');
});
