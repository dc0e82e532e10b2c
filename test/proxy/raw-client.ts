/** A client that returns the bytes of a response, and how its connection ended. */
import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { dechunked } from './scripted-ollama.ts';

/** Hop-by-hop headers, which may differ (RFC 9110, 7.6.1). */
const HOP_BY_HOP = /^(connection|keep-alive|transfer-encoding|proxy-connection|te|upgrade):/i;

export interface RawResponse {
  readonly statusLine: string;
  /** All other headers, as received. */
  readonly headers: readonly string[];
  /** The received body, without framing. */
  readonly body: Buffer;
  readonly trailers: string;
  /** Whether the message is complete according to its framing. */
  readonly complete: boolean;
}

export class RawClient {
  readonly socket: Socket;
  /** An error of the socket does not reject pending calls. */
  readonly #progress = new EventEmitter();
  #bytes = Buffer.alloc(0);
  #ended: 'open' | 'closed' | 'reset' = 'open';

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#progress.emit('progress');
    });
    socket.on('error', () => {
      this.#ended = 'reset';
    });
    socket.on('close', () => {
      this.#ended = this.#ended === 'reset' ? 'reset' : 'closed';
      this.#progress.emit('progress');
    });
  }

  get ended() {
    return this.#ended;
  }

  get text(): string {
    return this.#bytes.toString('latin1');
  }

  send(bytes: string | Buffer): this {
    this.socket.write(bytes, 'latin1');
    return this;
  }

  /** Resolves when this was received, or the connection has ended. */
  async until(condition: (text: string) => boolean): Promise<void> {
    while (!condition(this.text) && this.#ended === 'open') {
      await once(this.#progress, 'progress');
    }
  }

  async closed(): Promise<void> {
    await this.until(() => false);
  }

  /** Removes and returns the next response; an incomplete one if the connection ends before. */
  async response({ toHead = false, untilClosed = false } = {}): Promise<RawResponse> {
    for (;;) {
      const { response, length } = parse(
        this.#bytes,
        toHead,
        untilClosed && this.#ended === 'closed',
        this.#ended !== 'open',
      );
      if (response.complete || this.#ended !== 'open') {
        this.#bytes = this.#bytes.subarray(length);
        return response;
      }
      await once(this.#progress, 'progress');
    }
  }
}

function parse(
  bytes: Buffer,
  toHead: boolean,
  closed: boolean,
  over: boolean,
): { response: RawResponse; length: number } {
  const end = bytes.indexOf('\r\n\r\n');
  const headEnd = end === -1 ? bytes.length : end + 4;
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).trimEnd().split('\r\n');
  const headers = lines.filter((line) => !HOP_BY_HOP.test(line));
  const rest = bytes.subarray(headEnd);
  const about = { statusLine, headers, trailers: '' };
  const done = (body: Buffer, complete: boolean, length: number, trailers = '') => ({
    response: { ...about, body: Buffer.from(body), complete, trailers },
    length,
  });
  if (end === -1) {
    return done(Buffer.alloc(0), false, bytes.length);
  }
  if (toHead || /^HTTP\/1\.1 (204|304)/.test(statusLine)) {
    return done(Buffer.alloc(0), true, headEnd);
  }
  if (lines.some((line) => /^transfer-encoding: chunked$/i.test(line))) {
    const whole = dechunked(rest);
    return whole === undefined
      ? done(over ? partlyDechunked(rest) : Buffer.alloc(0), false, bytes.length)
      : done(whole.body, true, headEnd + whole.length, whole.trailers);
  }
  const length = lines.map((line) => /^content-length: (\d+)$/i.exec(line)?.[1]).find((found) => found);
  if (length === undefined) {
    return done(rest, closed, bytes.length);
  }
  return done(rest.subarray(0, Number(length)), rest.length >= Number(length), headEnd + Number(length));
}

/** The complete chunks. */
function partlyDechunked(bytes: Buffer): Buffer {
  for (let end = bytes.length; end > 0; end = bytes.lastIndexOf('\r\n', end - 1)) {
    const whole = dechunked(Buffer.concat([bytes.subarray(0, end), Buffer.from('\r\n0\r\n\r\n')]));
    if (whole !== undefined) {
      return whole.body;
    }
  }
  return Buffer.alloc(0);
}

export async function rawClient(port: number): Promise<RawClient> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  return new RawClient(socket);
}

/** A request with all headers that HTTP/1.1 requires. */
export function post(path: string, body: string, moreHead = ''): string {
  return `POST ${path} HTTP/1.1\r\nHost: ollama\r\n${moreHead}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

export function get(path: string, method = 'GET', moreHead = ''): string {
  return `${method} ${path} HTTP/1.1\r\nHost: ollama\r\n${moreHead}\r\n`;
}
