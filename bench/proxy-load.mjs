/** The clients of the proxies, in a separate process. A message is a job, the reply its outcome. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { pour } from './proxy-ollama.mjs';

/**
 * @typedef {import('node:net').Socket} Socket
 *
 * @typedef {object} Job
 * @property {'whole' | 'streams' | 'large' | 'upload'} kind
 * @property {number} port
 * @property {string} path
 * @property {number} [connections] each of which sends its next request immediately
 * @property {number} [seconds]
 * @property {number} [streams] started at one per millisecond
 * @property {number} [chunks] of each stream
 * @property {number} [every] see `Orders`
 * @property {number} [mebibytes] of a response or an upload
 * @property {number} [stallMs] how long not to read the response before the client disconnects
 *
 * @typedef {Awaited<ReturnType<typeof run>>} Outcome
 */

/** The end of a chunked response. */
const END = '\r\n0\r\n\r\n';

const [H, TWO] = Buffer.from('H2');

const SENT_AT = /"created_at":"(\d+)"/g;

/** The monotonic clock, which is the same in all processes. */
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

/** @type {(path: string, length: number) => string} */
const headOf = (path, length) =>
  `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

/** @type {(path: string, orders: import('./proxy-ollama.mjs').Orders) => string} */
function requestOf(path, orders) {
  const body = JSON.stringify({ model: 'llama3.1:bench-0', prompt: 'why?', ...orders });
  return headOf(path, body.length) + body;
}

/** The responses of a job. */
class Tally {
  count = 0;
  bad = 0;
  /** @type {number[]} latency of each response, or delay of each chunk */
  ms = [];
  /** @type {number[]} from request to first chunk */
  firstMs = [];

  /** @type {(port: number, begin: (socket: Socket) => void, receive: (chunk: Buffer, socket: Socket) => boolean) => Promise<void>} */
  connect(port, begin, receive) {
    return new Promise((resolve) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => begin(socket));
      socket.on('data', (chunk) => {
        this.expect(chunk[0] !== H || chunk['HTTP/1.1 '.length] === TWO);
        if (receive(chunk, socket)) {
          socket.destroy();
        }
      });
      // Neither is emitted if this side closes the connection.
      socket.on('error', () => this.expect(false)).on('end', () => this.expect(false));
      socket.on('close', () => resolve());
    });
  }

  /** @param {boolean} isGood */
  expect(isGood) {
    this.bad += isGood ? 0 : 1;
  }
}

/** @type {(job: Job, tally: Tally) => Promise<unknown>} */
function wholeResponses({ port, path, connections = 1, seconds = 1 }, tally) {
  const request = Buffer.from(requestOf(path, {}));
  const end = nowMs() + seconds * 1_000;
  const client = () => {
    let sentAt = 0;
    const send = (/** @type {Socket} */ socket) => {
      sentAt = nowMs();
      socket.write(request);
    };
    return tally.connect(port, send, (chunk, socket) => {
      // No header ends with it.
      if (chunk.at(-1) !== '}'.charCodeAt(0)) {
        return false;
      }
      const now = nowMs();
      tally.count += 1;
      tally.ms.push(now - sentAt);
      const isOver = now >= end;
      if (!isOver) {
        send(socket);
      }
      return isOver;
    });
  };
  return Promise.all(Array.from({ length: connections }, client));
}

/** @type {(job: Job, tally: Tally) => Promise<void>} */
async function tokenStreams({ port, path, streams = 1, chunks = 1, every = 1 }, tally) {
  const request = requestOf(path, { chunks, every });
  const client = () => {
    let sentAt = 0;
    let seen = 0;
    let text = '';
    const send = (/** @type {Socket} */ socket) => {
      sentAt = nowMs();
      socket.write(request);
    };
    return tally.connect(port, send, (chunk) => {
      const now = nowMs();
      text += chunk.toString('latin1');
      let end = 0;
      for (const { 0: all, 1: at, index } of text.matchAll(SENT_AT)) {
        if (seen++ === 0) {
          tally.firstMs.push(now - sentAt);
        }
        tally.ms.push(now - Number(at) / 1e6);
        end = index + all.length;
      }
      text = text.slice(end);
      const isOver = text.endsWith(END);
      tally.count += isOver ? seen : 0;
      tally.expect(!isOver || seen === chunks);
      return isOver;
    });
  };
  const start = nowMs();
  const clients = [];
  while (clients.length < streams) {
    if (nowMs() < start + clients.length) {
      await sleep(1);
    }
    clients.push(client());
  }
  await Promise.all(clients);
}

/** @type {(job: Job, tally: Tally) => Promise<unknown>} */
function largeResponse({ port, path, mebibytes = 1, stallMs }, tally) {
  let end = '';
  const send = (/** @type {Socket} */ socket) => void socket.write(requestOf(path, { mebibytes }));
  return tally.connect(port, send, (chunk, socket) => {
    tally.count += chunk.length;
    end = (end + chunk.subarray(-END.length).toString('latin1')).slice(-END.length);
    if (stallMs !== undefined) {
      socket.pause();
      setTimeout(() => socket.destroy(), stallMs);
    }
    tally.expect(end !== END || tally.count >= mebibytes * 1_024 ** 2);
    return end === END;
  });
}

/** @type {(job: Job, tally: Tally) => Promise<unknown>} */
function upload({ port, path, mebibytes = 1 }, tally) {
  const send = (/** @type {Socket} */ socket) => {
    socket.write(headOf(path, mebibytes * 1_024 ** 2));
    pour(socket, Buffer.alloc(64 * 1_024, 'weights of a model '), mebibytes, '');
  };
  return tally.connect(port, send, () => true);
}

const JOBS = { whole: wholeResponses, streams: tokenStreams, large: largeResponse, upload };

/** @param {Job} job */
async function run(job) {
  const tally = new Tally();
  const guard = setTimeout(() => {
    throw new Error(`no end of a job after a minute: ${JSON.stringify(job)}`);
  }, 60_000);
  await JOBS[job.kind](job, tally);
  clearTimeout(guard);
  const { count, bad, ms, firstMs } = tally;
  const at = (/** @type {number[]} */ values, /** @type {number} */ share) =>
    Float64Array.from(values).sort()[Math.floor(values.length * share)] ?? Number.NaN;
  return { count, bad, p50Ms: at(ms, 0.5), p99Ms: at(ms, 0.99), firstMs: at(firstMs, 0.5) };
}

process.on('disconnect', () => process.exit());
process.on('message', async (/** @type {Job} */ job) => {
  process.send?.(await run(job));
});
