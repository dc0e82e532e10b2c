/** The floor: the minimum cost of a scrape with Node.js: the same two requests, and fixed bytes as the response. */
import { createServer } from 'node:http';
import { Pool } from 'undici';

const [ollama = '', models = ''] = process.argv.slice(2);
// About the length of the exporter's response.
const answer = Buffer.alloc(3_000 + 650 * Number(models), 'bytes like those of the exporter\n');
answer.write('\nollama_up 1\n');
const headers = { 'content-type': 'text/plain; version=0.0.4', 'content-length': answer.length };

// Connections are kept as long as in the exporter.
const pool = new Pool(ollama, { keepAliveTimeout: 90_000 });

/** @param {string} path */
async function read(path) {
  const { body } = await pool.request({ method: 'GET', path });
  return body.text();
}

const server = createServer(async (_request, response) => {
  await Promise.all([read('/api/ps'), read('/api/version')]);
  response.writeHead(200, headers).end(answer);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  // The exporter's own log message.
  process.stderr.write(
    `msg=Listening address=127.0.0.1:${typeof address === 'object' ? address?.port : ''}\n`,
  );
});
