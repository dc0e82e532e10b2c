import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type InProcessExporter, startInProcess } from '../exporter-in-process.ts';

let exporter: InProcessExporter;
const sockets: Socket[] = [];

beforeEach(async () => {
  exporter = await startInProcess(new URL('http://127.0.0.1:1'));
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) {
    socket.destroy();
  }
  await exporter.close();
});

function open(): Socket {
  const socket = connect(Number(exporter.url.port), exporter.url.hostname).setEncoding('utf8');
  sockets.push(socket.on('error', () => {}));
  return socket;
}

/** Everything received until the exporter closes the connection. */
async function responseTo(text: string): Promise<string> {
  const socket = open();
  socket.write(text);
  let response = '';
  socket.on('data', (chunk) => {
    response += chunk;
  });
  await once(socket, 'close');
  return response;
}

describe('the exporter rejects, without further information,', () => {
  test('a URL longer than 4,096 characters', async () => {
    const response = await responseTo(
      `GET /metrics?${'a'.repeat(4_096)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    );
    expect(response).toMatch(/^HTTP\/1\.1 414 URI Too Long\r\n/);
    expect(response).toContain('the URL is longer than 4096 characters\n');
    expect(response).toMatch(/x-content-type-options: nosniff/i);
  });

  test('headers larger than 16 KiB', async () => {
    const response = await responseTo(
      `GET /metrics HTTP/1.1\r\nhost: x\r\nx-y: ${'a'.repeat(17_000)}\r\n\r\n`,
    );
    expect(response).toBe(
      'HTTP/1.1 431 Request Header Fields Too Large\r\nx-content-type-options: nosniff\r\nconnection: close\r\ncontent-length: 0\r\n\r\n',
    );
  });

  test('data that is not HTTP', async () => {
    expect(await responseTo('SSH-2.0-OpenSSH_9.2\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  });

  test('headers that take longer than 10 s', async () => {
    const start = performance.now();
    const responses = await Promise.all(['', 'GET /metrics HTTP/1.1\r\nhost: x\r\nx-slow: '].map(responseTo));
    for (const response of responses) {
      expect(response).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
    }
    // The documented 10 s, with a margin for a busy machine.
    expect(performance.now() - start).toBeLessThan(15_000);
  });
});

test('connections beyond 2,000 are not served, and earlier ones are', async () => {
  const first = open();
  await once(first, 'connect');
  for (let count = 1; count < 2_000; count += 100) {
    await Promise.all(Array.from({ length: Math.min(100, 2_000 - count) }, () => once(open(), 'connect')));
  }
  const beyond = open();
  await once(beyond, 'close');
  first.write('GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n');
  const [response] = await once(first, 'data');
  expect(response).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
});
