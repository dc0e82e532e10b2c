/** A simulated Ollama that responds with prepared bytes, which a message configures. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createResponder } from './proxy-ollama.mjs';

/**
 * @typedef {object} Orders
 * @property {number} models
 * @property {'unchanged' | 'changing'} mode whether size and expiry of all models change with each request
 * @property {readonly string[]} [addresses] to listen on from now on, besides 127.0.0.1
 * @property {number} [runners] to start, one for each of the first models
 */

/** Enough that no small cache sees a body twice. */
const VARIANTS = 64;

/** The exporter sends no other POST than to /api/show. */
const PROXIED = /^POST \/api\/(?!show )/;

const VERSION = responseOf('{"version":"0.12.6"}');

/** @type {Buffer[]} */
let lists = [];
let served = 0;
let port = Number(process.argv[2]);

/** @param {string} body */
function responseOf(body) {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Buffer.from(head + body);
}

/** @param {number} model */
function blobOf(model) {
  return model.toString(16).padStart(64, '0');
}

/** @param {string} request of `/api/show`, with its body */
function modelOf(request) {
  const model = Number(/bench-(\d+)"/.exec(request)?.[1]);
  return responseOf(
    JSON.stringify({ modelfile: `FROM /root/.ollama/models/blobs/sha256-${blobOf(model)}\n` }),
  );
}

/** As children, like Ollama. @param {number} index */
async function startRunner(index) {
  const model = `/root/.ollama/models/blobs/sha256-${blobOf(index)}`;
  const args = ['--model', model, '--port', String(port + 1 + index)];
  const runner = fork(fileURLToPath(new URL('runner.mjs', import.meta.url)), args);
  await once(runner, 'message');
}

/** @type {(models: number, variant: number) => Buffer} */
function listOf(models, variant) {
  const rows = Array.from({ length: models }, (_, index) => {
    const name = `llama3.1:bench-${index}`;
    const size = 6 * 1_024 ** 3 + index * 1_000_003 + variant * 4_096;
    const expiry = new Date(Date.now() + 3_600_000 + index * 1_000 + variant * 17);
    return {
      name,
      model: name,
      size,
      digest: index.toString(16).padStart(64, '46e0c10c039e0191'),
      details: { format: 'gguf', family: 'llama', parameter_size: '8.0B', quantization_level: 'Q4_K_M' },
      // With nanoseconds, as in Go.
      expires_at: expiry.toISOString().replace('Z', '530129Z'),
      size_vram: index % 3 === 0 ? Math.floor(size / 2) : size,
      context_length: 32_768,
    };
  });
  return responseOf(JSON.stringify({ models: rows }));
}

/**
 * Without node:http, which would take several times the CPU from the cores that it shares with the contestants.
 *
 * @param {import('node:net').Socket} socket
 */
function serve(socket) {
  socket.on('error', () => socket.destroy());
  // The exporter uses separate connections for scrapes and for the proxy.
  socket.once('data', (first) => {
    const receive = PROXIED.test(first.toString('latin1', 0, 20))
      ? createResponder(socket)
      : createApi(socket);
    socket.on('data', receive);
    receive(first);
  });
}

/** @param {import('node:net').Socket} socket */
function createApi(socket) {
  let request = '';
  return (/** @type {Buffer} */ chunk) => {
    request += chunk.toString('latin1');
    if (request.startsWith('POST ') && request.endsWith('}')) {
      socket.write(modelOf(request));
      request = '';
    } else if (request.endsWith('\r\n\r\n') && !request.startsWith('POST ')) {
      const response = request.startsWith('GET /api/version ') ? VERSION : lists[served++ % lists.length];
      request = '';
      socket.write(response ?? '');
    }
  };
}

/** @param {string} address */
async function listen(address) {
  const server = createServer({ noDelay: true }, serve).listen(port, address);
  await once(server, 'listening');
  const bound = server.address();
  port = typeof bound === 'object' ? (bound?.port ?? 0) : 0;
}

// By this the exporter finds the parent of the runners.
writeFileSync('/proc/self/comm', 'ollama');
await listen('127.0.0.1');
process.on('disconnect', () => process.exit());
process.on('message', async (/** @type {Orders} */ orders) => {
  const variants = orders.mode === 'changing' ? VARIANTS : 1;
  lists = Array.from({ length: variants }, (_, variant) => listOf(orders.models, variant));
  await Promise.all((orders.addresses ?? []).map(listen));
  await Promise.all(Array.from({ length: orders.runners ?? 0 }, (_, index) => startRunner(index)));
  process.send?.(`http://127.0.0.1:${port}`);
});
