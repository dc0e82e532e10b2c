/** The Fastify app with the exporter's routes. It does not listen. */
import { type ServerOptions, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { createLimitLog } from '../scrape/limit-log.ts';
import { RequestError } from '../scrape/request-error.ts';
import { addAdminRoutes } from './admin-routes.ts';
import type { ServerDependencies } from './dependencies.ts';
import { compressIfAccepted } from './gzip.ts';
import { addMetricsRoute } from './metrics-route.ts';
import { addProbeRoute } from './probe-route.ts';
import { addStatusRoutes } from './status-routes.ts';
import { createUnreadLimit } from './unread.ts';

/** Requests are a few hundred bytes that arrive at once. */
const LIMITS: ServerOptions = {
  headersTimeout: 9_000,
  requestTimeout: 30_000,
  // Timeouts are checked at this interval: headers time out after at most 10 s.
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16_384,
  // Longer than the longest common scrape interval, so that each scrape reuses its connection.
  keepAliveTimeout: 90_000,
};

const MAX_URL_LENGTH = 4_096;

/** Half of the 30 s in which a client must read something: Node.js ignores the first timeout. */
const READ_TIMEOUT_MS = 15_000;

/** A Prometheus server keeps up to 1,000 idle connections to an address, and a high-availability pair has two. */
const MAX_CONNECTIONS = 2_000;

export function buildServer(dependencies: ServerDependencies): FastifyInstance {
  const { createServer, log, closing, watchRequests } = dependencies;
  const app = Fastify({
    serverFactory: (handler) => createServer(handler, LIMITS),
    frameworkErrors: (_error, _request, reply) => replyNotFound(reply.header(...NOSNIFF)),
    clientErrorHandler: replyToClientError,
  });
  const mayBeUnread = createUnreadLimit();
  watchRequests(app.server);
  app.server.maxConnections = MAX_CONNECTIONS;
  const logDrop = createLimitLog(log, 'connections', { limit: MAX_CONNECTIONS });
  app.server.on('drop', () => {
    // Idle connections are kept for 90 s, and would block new clients.
    app.server.closeIdleConnections();
    logDrop();
  });
  app.setErrorHandler((error, request, reply) => replyWithError(error, request, reply, log));
  app.setNotFoundHandler((_request, reply) => replyNotFound(reply));
  app.addHook('onRequest', (request, _reply, done) => done(refusal(request)));
  app.addHook('onSend', async (request, reply, payload) => {
    reply.header(...NOSNIFF);
    // Node.js resets it to the keep-alive timeout before the next request.
    reply.raw.setTimeout(READ_TIMEOUT_MS, () => reply.raw.destroy());
    if (closing.aborted) {
      // Otherwise a scraper's idle connection would delay the shutdown until it is closed.
      reply.header('connection', 'close');
    }
    // Before compression, which takes time: until then, all waiting responses are in memory.
    return mayBeUnread(reply, payload)
      ? await compressIfAccepted(request, reply, payload)
      : refuseToSend(reply);
  });
  ignoreRequestBodies(app);
  addMetricsRoute(app, dependencies);
  addProbeRoute(app, dependencies);
  addStatusRoutes(app, dependencies);
  addAdminRoutes(app, dependencies);
  return app;
}

function refuseToSend(reply: FastifyReply): string {
  reply.code(503).removeHeader('content-encoding').type('text/plain; charset=utf-8');
  return 'Too many bytes of other responses are not read yet.\n';
}

function refusal({ url, headers, routeOptions }: FastifyRequest): RequestError | undefined {
  if (url.length > MAX_URL_LENGTH) {
    return new RequestError(414, `the URL is longer than ${MAX_URL_LENGTH} characters`);
  }
  const isForeign = /cross-site/i.test(String(headers['sec-fetch-site']));
  // The route, since the URL may be percent-encoded. The page without a query scrapes only what /metrics does.
  const route = routeOptions.url ?? '';
  const hasEffects = HAS_EFFECTS.has(route) || (route === '/' && url.includes('?'));
  // Links to the page, such as those of a dashboard, are allowed.
  const isLink = route === '/' && headers['sec-fetch-user'] === '?1';
  return isForeign && hasEffects && !isLink
    ? new RequestError(403, 'requests by pages of other sites are rejected')
    : undefined;
}

/** Requests that a page of another site could cause in a browser, with the stored password. */
const HAS_EFFECTS: ReadonlySet<string> = new Set(['/probe', '/api/status', '/api/fleet', '/-/reload']);

const NOSNIFF = ['x-content-type-options', 'nosniff'] as const;

/** No route needs a body, so none needs an error for it. */
function ignoreRequestBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

function replyNotFound(reply: FastifyReply): FastifyReply {
  return reply.code(404).send('not found, see /\n');
}

function replyWithError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Logger,
): FastifyReply {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  // Replaces the content type of the page.
  reply.type('text/plain; charset=utf-8');
  if (error instanceof RequestError || (error instanceof Error && status < 500)) {
    return reply.code(status).send(`${error.message}\n`);
  }
  log.error({ err: error, method: request.method, url: request.url }, 'Could not handle a request');
  return reply.code(500).send('internal error, see the log of the exporter\n');
}

const CLIENT_ERROR_STATUSES: ReadonlyMap<string, number> = new Map([
  ['HPE_HEADER_OVERFLOW', 431],
  ['ERR_HTTP_REQUEST_TIMEOUT', 408],
]);

/** The input is not a request, so Fastify's reply can't be used. */
function replyToClientError(error: Error, socket: Socket): void {
  const code = 'code' in error ? String(error.code) : '';
  if (code !== 'ECONNRESET' && socket.writable) {
    const status = CLIENT_ERROR_STATUSES.get(code) ?? 400;
    const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, NOSNIFF.join(': '), 'connection: close'];
    socket.write(`${head.join('\r\n')}\r\ncontent-length: 0\r\n\r\n`);
  }
  socket.destroy(error);
}
