/** How the simulated Ollama responds to requests that pass through a proxy; their body configures the response. */
import { Readable } from 'node:stream';

/**
 * @typedef {object} Orders
 * @property {number} [chunks] of a stream of tokens; without it and `mebibytes`, the response is 1 KB of JSON
 * @property {number} [every] interval of the chunks, in twentieths of a second
 * @property {number} [mebibytes] of a stream that is sent as fast as it is read
 */

const BEGINNING = '{"model":"llama3.1:bench-0","created_at":"';
const TIME = '2026-01-01T00:00:00.123456789Z';
const FIGURES =
  '"done":true,"done_reason":"stop","total_duration":5191566416,"load_duration":2154458,"prompt_eval_count":26,"prompt_eval_duration":383809000,"eval_count":60,"eval_duration":4799921000}';

const HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n';
const LAST = `${chunkOf(`${BEGINNING}${TIME}","response":"",${FIGURES}\n`)}0\r\n\r\n`;
const LINE = `${BEGINNING}${TIME}","response":" and so on","done":false}\n`;
const BLOCK = Buffer.from(chunkOf(LINE.repeat(500)));
const TEXT = `${BEGINNING}${TIME}","response":"${'word '.repeat(150)}",${FIGURES}`;
const WHOLE = `HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${TEXT.length}\r\n\r\n${TEXT}`;

/** @param {string} text */
function chunkOf(text) {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** With nanoseconds of the monotonic clock, which is the same in all processes, in place of a date. */
const token = () => chunkOf(`${BEGINNING}${process.hrtime.bigint()}","response":" token","done":false}\n`);

/** The milliseconds of a twentieth of a second, each with the streams that send a chunk in it. */
const slots = Array.from({ length: 50 }, () => /** @type {Set<() => void>} */ (new Set()));
let opened = 0;
let passed = 0;
/** @type {NodeJS.Timeout | undefined} */
let ticking;

function tick() {
  for (const now = Math.floor(performance.now()); passed < now; passed += 1) {
    for (const send of slots[passed % slots.length] ?? []) {
      send();
    }
  }
  if (slots.every(({ size }) => size === 0)) {
    clearInterval(ticking);
    ticking = undefined;
  }
}

/** @type {(socket: import('node:net').Socket, chunks: number, every: number) => void} */
function streamTokens(socket, chunks, every) {
  const slot = slots[opened++ % slots.length];
  let turn = 0;
  const send = () => {
    turn += 1;
    const isLast = turn === (chunks - 1) * every;
    if (turn % every === 0) {
      socket.write(token() + (isLast ? LAST : ''));
    }
    if (isLast || socket.destroyed) {
      slot?.delete(send);
    }
  };
  socket.write(HEAD + token());
  slot?.add(send);
  if (ticking === undefined) {
    passed = Math.floor(performance.now());
    ticking = setInterval(tick, 1);
  }
}

/** Writes as fast as the other side reads. @type {(socket: import('node:net').Socket, block: Buffer, mebibytes: number, last: string) => void} */
export function pour(socket, block, mebibytes, last) {
  const pieces = function* () {
    for (let sent = 0; sent < mebibytes * 1_024 ** 2; sent += block.length) {
      yield block;
    }
    yield last;
  };
  Readable.from(pieces()).pipe(socket, { end: false });
}

/** @type {(socket: import('node:net').Socket, orders: Orders) => void} */
function respond(socket, { chunks, every = 1, mebibytes }) {
  if (chunks !== undefined) {
    streamTokens(socket, chunks, every);
  } else if (mebibytes !== undefined) {
    socket.write(HEAD);
    pour(socket, BLOCK, mebibytes, LAST);
  } else {
    socket.write(WHOLE);
  }
}

/** @param {import('node:net').Socket} socket whose received chunks are passed to the returned function */
export function createResponder(socket) {
  let request = '';
  let uploadBytes = 0;
  return (/** @type {Buffer} */ chunk) => {
    if (uploadBytes > 0) {
      uploadBytes -= chunk.length;
      if (uploadBytes === 0) {
        socket.write('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n');
      }
      return;
    }
    request += chunk.toString('latin1');
    const head = request.indexOf('\r\n\r\n') + 4;
    const length = Number(/\ncontent-length: (\d+)\r/i.exec(request)?.[1]);
    if (head > 4 && request.startsWith('POST /api/blobs/')) {
      uploadBytes = head + length - request.length;
      request = '';
    } else if (request.length === head + length) {
      respond(socket, JSON.parse(request.slice(head)));
      request = '';
    }
  };
}
