import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { closeUnused } from '../../src/server/unused-connections.ts';
import { newAuthority } from '../certificates.ts';

/** Sends the beginning of a response, and its end when the test calls `end`. */
async function serve(tls: boolean) {
  let end = () => {};
  const handler: RequestListener = (_request, response) => {
    response.write('a');
    end = () => void response.end('b');
  };
  const server = tls ? createHttpsServer(await newAuthority(), handler) : createHttpServer(handler);
  const closing = new AbortController();
  closeUnused(server, closing.signal);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close().closeAllConnections());
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  return { port, closing, end: () => end() };
}

test.each([false, true])('unused connections are closed, those in use are not (TLS: %s)', async (tls) => {
  const { port, closing, end } = await serve(tls);
  const where = { port, host: '127.0.0.1', rejectUnauthorized: false };
  const connect = async () => {
    const socket = tls ? connectTls(where) : connectTcp(where);
    await once(socket, tls ? 'secureConnect' : 'connect');
    return socket;
  };
  const inUse = await connect();
  inUse.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const [beginning] = await once(inUse, 'data');
  const received = [beginning];
  inUse.on('data', (chunk) => received.push(chunk));
  const unused = [(await connect()).resume()];
  if (tls) {
    const noHandshake = connectTcp(where).resume();
    await once(noHandshake, 'connect');
    unused.push(noHandshake);
  }
  const closed = unused.map((socket) => once(socket, 'close'));
  closing.abort();
  await Promise.all(closed);
  end();
  await once(inUse, 'close');
  expect(Buffer.concat(received).toString()).toMatch(/\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n$/);
});
