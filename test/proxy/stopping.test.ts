/** Shutdown, silence, and slow readers. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createRequire } from 'node:module';
import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { get, post, rawClient } from './raw-client.ts';
import { startScripted } from './scripted-ollama.ts';
import { startProxyBefore } from './started-proxy.ts';

const STREAM = 'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

async function streaming(more = {}) {
  const ollama = await startScripted(({ socket }) => socket.write(`${STREAM}2\r\n{}\r\n`));
  const proxy = await startProxyBefore(ollama.url, more);
  const client = await rawClient(proxy.port);
  await client.send(post('/api/generate', '{}')).until((text) => text.includes('{}'));
  const [{ socket } = { socket: client.socket }] = ollama.received;
  return { ollama, proxy, client, socket };
}

describe('at shutdown,', () => {
  test('a running stream finishes, and then its connection closes', async () => {
    const { proxy, client, socket } = await streaming({ shutdownGraceMs: 20_000 });
    const closed = proxy.close();
    socket.write('0\r\n\r\n');
    expect((await client.response()).complete).toBe(true);
    await closed;
    await client.closed();
    expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['generate  incomplete 1']);
  });

  test('a stream that does not finish is cut off after the grace time, on both sides', async () => {
    const { proxy, client, socket } = await streaming({ shutdownGraceMs: 200 });
    const upstreamEnded = once(socket, 'close');
    const startMs = performance.now();
    await proxy.close();
    expect(performance.now() - startMs).toBeGreaterThan(190);
    await upstreamEnded;
    expect((await client.response()).complete).toBe(false);
  });

  test('new connections are refused, and unused ones are closed before the grace time ends', async () => {
    const { proxy, client, socket } = await streaming({ shutdownGraceMs: 20_000 });
    const unused = await rawClient(proxy.port);
    const startMs = performance.now();
    const closed = proxy.close();
    await unused.closed();
    expect(performance.now() - startMs).toBeLessThan(10_000);
    await expect(rawClient(proxy.port)).rejects.toThrow('ECONNREFUSED');
    socket.write('0\r\n\r\n');
    await Promise.all([closed, client.response()]);
  });

  test('a request waiting on a kept-alive connection is served before the connection closes', async () => {
    const { ollama, proxy, client, socket } = await streaming({ shutdownGraceMs: 20_000 });
    client.send(get('/api/tags'));
    const closed = proxy.close();
    ollama.script = (request) => request.socket.write(OK);
    socket.write('0\r\n\r\n');
    await client.response();
    expect((await client.response()).body.toString()).toBe('ok');
    await client.closed();
    await closed;
  });
});

test('the error for an address in use names the address', async () => {
  const { proxy, ollama } = await streaming();
  const { parseListenAddresses } = await import('../../src/config/listen-address.ts');
  const listenOn = parseListenAddresses(`127.0.0.1:0,127.0.0.1:${proxy.port}`);
  await expect(startProxyBefore(ollama.url, { listenOn })).rejects.toThrow(
    `could not listen on 127.0.0.1:${proxy.port} (--proxy.listen-address): address already in use (EADDRINUSE)`,
  );
});

describe('ten minutes without data', () => {
  /** undici's own clock, which has started before this test. */
  const undiciClock: { readonly tick: (ms: number) => void } = createRequire(import.meta.url)(
    'undici/lib/util/timers.js',
  );

  async function minutesPass(minutes: number): Promise<void> {
    // The first tick starts the timers.
    undiciClock.tick(1_000);
    undiciClock.tick(minutes * 60_000);
    for (let second = 0; second < minutes * 60; second += 5) {
      await vi.advanceTimersByTimeAsync(5_000);
    }
    await new Promise(setImmediate);
  }

  test('before the headers, in a stream and in an upload do not time out', async () => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    });
    onTestFinished(() => void vi.useRealTimers());
    const ollama = await startScripted(() => {});
    const proxy = await startProxyBefore(ollama.url);
    const client = await rawClient(proxy.port);
    client.send('POST /api/generate HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n{"');
    await minutesPass(10);
    client.send('"}');
    await vi.waitFor(() => expect(ollama.received.length).toBe(1));
    await minutesPass(10);
    const [{ socket } = { socket: client.socket }] = ollama.received;
    socket.write(`${STREAM}2\r\n{}\r\n`);
    await client.until((text) => text.includes('{}'));
    await minutesPass(10);
    socket.write('0\r\n\r\n');
    expect((await client.response()).complete).toBe(true);
  });

  test('before a client has sent all headers time out', async () => {
    const ollama = await startScripted(() => {});
    const proxy = await startProxyBefore(ollama.url, {
      createServer: (handler, limits) => {
        expect(limits).toMatchObject({ headersTimeout: 60_000, requestTimeout: 0 });
        return createHttpServer({ ...limits, headersTimeout: 100, connectionsCheckingInterval: 50 }, handler);
      },
    });
    const client = await rawClient(proxy.port);
    await client.send('GET / HTTP/1.1\r\nHost:').closed();
    expect(client.text).toMatch(/^HTTP\/1.1 408/);
  });
});

describe('backpressure', () => {
  const MEBIBYTES = 64;
  /** 64 MiB take seconds on a busy machine. */
  const TRANSFER_TIMEOUT = { timeout: 20_000 };

  test('a client that does not read pauses Ollama, and receives everything later', async () => {
    let sent = 0;
    const piece = Buffer.alloc(1024 * 1024, 'x');
    const ollama = await startScripted(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${MEBIBYTES * piece.length}\r\n\r\n`);
      const write = () => {
        while (sent < MEBIBYTES) {
          sent += 1;
          if (!socket.write(piece)) {
            socket.once('drain', write);
            return;
          }
        }
      };
      write();
    });
    const proxy = await startProxyBefore(ollama.url);
    const client = await rawClient(proxy.port);
    client.send(get('/api/blobs/a'));
    await client.until((text) => text.length > 0);
    client.socket.pause();
    const stopped = await settled(() => sent);
    // The buffers of the kernel for four sockets.
    expect(stopped).toBeLessThan(MEBIBYTES / 2);
    let read = 0;
    client.socket.removeAllListeners('data').on('data', (chunk) => {
      read += chunk.length;
    });
    client.socket.resume();
    await expect.poll(() => sent, TRANSFER_TIMEOUT).toBe(MEBIBYTES);
    await expect.poll(() => read, TRANSFER_TIMEOUT).toBeGreaterThan((MEBIBYTES - stopped) * piece.length);
  });

  test('an Ollama that does not read pauses the client, and receives everything later', async () => {
    let upstream: Socket | undefined;
    let read = 0;
    const slow = createServer((socket) => {
      upstream = socket.pause().on('error', () => {});
      socket.on('data', (chunk) => {
        read += chunk.length;
      });
      socket.pause();
    });
    await once(slow.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => {
      slow.close();
      upstream?.destroy();
    });
    const { port } = Object(slow.address());
    const proxy = await startProxyBefore(new URL(`http://127.0.0.1:${port}`));
    const client = await rawClient(proxy.port);
    const length = MEBIBYTES * 1024 * 1024;
    client.send(`POST /api/blobs/a HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
    const piece = Buffer.alloc(1024 * 1024, 'x');
    let sent = 0;
    const write = () => {
      while (sent < MEBIBYTES) {
        sent += 1;
        if (!client.socket.write(piece)) {
          client.socket.once('drain', write);
          return;
        }
      }
    };
    write();
    expect(await settled(() => sent)).toBeLessThan(MEBIBYTES / 2);
    upstream?.resume();
    await expect.poll(() => read, TRANSFER_TIMEOUT).toBeGreaterThan(length);
  });
});

/** The value once it has not changed for a while. */
async function settled(figure: () => number): Promise<number> {
  let last = -1;
  for (let same = 0; same < 5; ) {
    await new Promise((resolve) => setTimeout(resolve, 40));
    same = figure() === last ? same + 1 : 0;
    last = figure();
  }
  return last;
}
