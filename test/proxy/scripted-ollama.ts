/** A server that sends the bytes that a test defines, and records the received bytes. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';

export interface Received {
  /** With line breaks. */
  readonly head: string;
  /** Without framing. */
  readonly body: Buffer;
  readonly socket: Socket;
  /** The number of requests on the connection, including this one. */
  readonly nth: number;
}

/** Called when a request is complete. */
export type Script = (request: Received) => unknown;

export interface ScriptedOllama {
  readonly url: URL;
  readonly received: readonly Received[];
  readonly sockets: ReadonlySet<Socket>;
  /** The script for further requests. */
  script: Script;
}

export async function startScripted(script: Script, tls?: TlsOptions): Promise<ScriptedOllama> {
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  const scripted = { script };
  const serve = (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    let pending = Buffer.alloc(0);
    let nth = 0;
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      for (let next = requestIn(pending); next !== undefined; next = requestIn(pending)) {
        pending = pending.subarray(next.length);
        nth += 1;
        const request = { head: next.head, body: next.body, socket, nth };
        received.push(request);
        scripted.script(request);
      }
    });
  };
  const server = tls ? createTlsServer(tls, serve) : createServer(serve);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) {
      socket.destroy();
    }
  });
  const { port } = Object(server.address());
  return Object.assign(scripted, {
    url: new URL(`${tls ? 'https' : 'http'}://127.0.0.1:${port}`),
    received,
    sockets,
  });
}

/** @returns undefined until it is complete */
function requestIn(bytes: Buffer) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) {
    return undefined;
  }
  const head = bytes.toString('latin1', 0, end + 4);
  const rest = bytes.subarray(end + 4);
  if (/^transfer-encoding:/im.test(head)) {
    const whole = dechunked(rest);
    return whole && { head, body: whole.body, length: end + 4 + whole.length };
  }
  const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
  return rest.length < length
    ? undefined
    : { head, body: Buffer.from(rest.subarray(0, length)), length: end + 4 + length };
}

/** @returns undefined until the last chunk has arrived, with its trailers */
export function dechunked(bytes: Buffer) {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) {
      return undefined;
    }
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (Number.isNaN(size)) {
      return undefined;
    }
    if (size === 0) {
      const end = bytes.indexOf('\r\n\r\n', lineEnd);
      const trailers = bytes.toString('latin1', lineEnd + 2, end + 2);
      return end === -1 ? undefined : { body: Buffer.concat(parts), trailers, length: end + 4 };
    }
    if (lineEnd + 2 + size + 2 > bytes.length) {
      return undefined;
    }
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
