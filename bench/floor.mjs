/** The floor: the least that a scrape can cost on Node.js. The same two requests, and fixed bytes for a response. */
import { createServer } from 'node:http';
import { Pool } from 'undici';

const [ollama = '', models = ''] = process.argv.slice(2);
// About as long as the exporter's response.
const answer = Buffer.alloc(3_000 + 650 * Number(models), 'bytes like those of the exporter\n');
answer.write('\nollama_up 1\n');
const headers = { 'content-type': 'text/plain; version=0.0.4', 'content-length': answer.length };

// Connections are kept as long as the exporter keeps them.
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
  // In the exporter's own words.
  process.stderr.write(
    `msg=Listening address=127.0.0.1:${typeof address === 'object' ? address?.port : ''}\n`,
  );
});
