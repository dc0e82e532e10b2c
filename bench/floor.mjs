/** The least that a scrape can cost on Node.js: the two calls, read as text, and fixed bytes for an answer. */
import { createServer } from 'node:http';
import { Pool } from 'undici';

const [ollama = '', bytes = ''] = process.argv.slice(2);
const answer = Buffer.alloc(Number(bytes), 'as many bytes as the exporter has for an answer\n');
answer.write('\n', answer.length - 1);
const headers = {
  'content-type': 'text/plain; version=0.0.4; charset=utf-8',
  'content-length': answer.length,
};

const PROBE = '/probe?target=';

/** @type {Map<string, Pool>} */
const pools = new Map();

/** @param {string} origin */
function poolOf(origin) {
  // Kept as long as the exporter keeps them.
  const pool = pools.get(origin) ?? new Pool(origin, { keepAliveTimeout: 90_000 });
  pools.set(origin, pool);
  return pool;
}

/**
 * @param {Pool} pool
 * @param {string} path
 */
async function read(pool, path) {
  const { body } = await pool.request({ method: 'GET', path });
  return body.text();
}

const server = createServer(async ({ url = '' }, response) => {
  const pool = poolOf(url.startsWith(PROBE) ? `http://${url.slice(PROBE.length)}` : ollama);
  try {
    await Promise.all([read(pool, '/api/ps'), read(pool, '/api/version')]);
    response.writeHead(200, headers).end(answer);
  } catch {
    response.writeHead(502).end();
  }
});
server.listen(0, '127.0.0.1', () => {
  const bound = server.address();
  // As the exporter says it.
  process.stderr.write(`msg=Listening address=127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}\n`);
});
