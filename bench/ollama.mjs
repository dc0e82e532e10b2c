/** A simulated Ollama over prepared bytes: what to answer is a line of JSON on stdin, and stdout says when it does. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { psBodies } from './bodies.mjs';

/** @typedef {{ readonly models: number, readonly mode: import('./bodies.mjs').Mode, readonly addresses?: readonly string[] }} Orders */

// Not over node:http, since the cores that it takes are the contestants' too.
const HEAD_END = '\r\n\r\n';
const VERSION = Buffer.from('{"version":"0.12.6"}');

/** @type {Buffer[]} */
let bodies = [];
let calls = 0;
let date = '';
setInterval(tellTime, 1_000);
tellTime();

function tellTime() {
  date = new Date().toUTCString();
}

/** @param {string} start of a request, up to its path at least */
function bodyFor(start) {
  if (start.startsWith('GET /api/version ')) {
    return VERSION;
  }
  return start.startsWith('GET /api/ps ') ? bodies[calls++ % bodies.length] : undefined;
}

/** @param {import('node:net').Socket} socket */
function serve(socket) {
  let received = '';
  socket.setEncoding('latin1').on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    received += chunk;
    for (let end = received.indexOf(HEAD_END); end >= 0; end = received.indexOf(HEAD_END)) {
      const body = bodyFor(received);
      received = received.slice(end + HEAD_END.length);
      const status = body === undefined ? '404 Not Found' : '200 OK';
      socket.cork();
      socket.write(
        `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nDate: ${date}\r\nContent-Length: ${body?.length ?? 0}\r\n\r\n`,
      );
      socket.write(body ?? '');
      socket.uncork();
    }
  });
}

/**
 * @param {number} port
 * @param {string} address
 */
async function listen(port, address) {
  const server = createServer({ noDelay: true }, serve).listen(port, address);
  await once(server, 'listening');
  const bound = server.address();
  return typeof bound === 'object' ? (bound?.port ?? 0) : 0;
}

const port = await listen(Number(process.argv[2] ?? 0), '127.0.0.1');
process.stdout.write(`${port}\n`);
for await (const line of createInterface(process.stdin)) {
  /** @type {Orders} */
  const { models, mode, addresses = [] } = JSON.parse(line);
  bodies = psBodies(models, mode, Date.now());
  await Promise.all(addresses.map((address) => listen(port, address)));
  process.stdout.write('ready\n');
}
process.exit();
