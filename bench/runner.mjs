/** A simulated runner: a llama-server by its name and arguments, with 4 slots, that responds with prepared bytes. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

writeFileSync('/proc/self/comm', 'llama-server');

/** @type {(type: string, body: string) => Buffer} */
const responseOf = (type, body) =>
  Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);

/** The size of a real one: 1.2 KB per slot. */
const PARAMS = Object.fromEntries(Array.from({ length: 45 }, (_, index) => [`parameter_${index}`, 0.95]));
const SLOTS = responseOf(
  'application/json',
  JSON.stringify(
    Array.from({ length: 4 }, (_, id) => ({ id, n_ctx: 4096, is_processing: id === 0, params: PARAMS })),
  ),
);

const COUNTERS = [
  'prompt_tokens_total',
  'prompt_tokens_cached_total',
  'prompt_seconds_total',
  'tokens_predicted_total',
  'tokens_predicted_seconds_total',
  'n_decode_total',
  'n_tokens_max',
  'requests_processing',
];
let served = 0;

function metrics() {
  served += 1;
  const lines = COUNTERS.map(
    (name) =>
      `# HELP llamacpp:${name} Number of tokens\n# TYPE llamacpp:${name} counter\nllamacpp:${name} ${name === 'requests_processing' ? 1 : served}\n`,
  );
  return responseOf('text/plain; version=0.0.4', lines.join(''));
}

/** @param {import('node:net').Socket} socket */
function serve(socket) {
  let request = '';
  socket.setEncoding('latin1').on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    request += chunk;
    if (request.endsWith('\r\n\r\n')) {
      socket.write(request.startsWith('GET /slots ') ? SLOTS : metrics());
      request = '';
    }
  });
}

const port = Number(process.argv[process.argv.indexOf('--port') + 1]);
createServer({ noDelay: true }, serve).listen(port, '127.0.0.1', () => process.send?.('listening'));
process.on('disconnect', () => process.exit());
