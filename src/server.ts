/** Turns its dependencies into a Fastify app with the exporter's routes. It does not listen. */
import type { ServerResponse } from 'node:http';
import compress from '@fastify/compress';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { scrapeBudgetMs, TIMEOUT_HEADER, type TimeoutOptions, withDeadline } from './deadline.ts';
import { CONTENT_SECURITY_POLICY, type LandingPage, landingPage } from './landing-page.ts';
import { toRegistry } from './registry.ts';
import type { Snapshot } from './scrape.ts';

export interface ServerDependencies {
  readonly scrape: (signal: AbortSignal) => Promise<Snapshot>;
  /** Called with each snapshot that a scraper waited for to its end. */
  readonly onSnapshot: (snapshot: Snapshot) => void;
  /** The exporter's own metrics; undefined leaves them out. */
  readonly selfMetrics: Registry | undefined;
  readonly timeouts: TimeoutOptions;
  readonly landingPage: LandingPage;
  /** Has fired when no new scrape is wanted any more. */
  readonly closing: AbortSignal;
  /** Ends the scrapes under way, with what they have by then. */
  readonly stopping: AbortSignal;
  readonly log: Logger;
}

/** Below this, gzip saves less than a packet (one Ethernet frame holds about 1,400 bytes). */
const WORTH_COMPRESSING_BYTES = 1_400;

/** To receive a request: a few hundred bytes. */
const REQUEST_TIMEOUT_MS = 30_000;

export async function buildServer(dependencies: ServerDependencies): Promise<FastifyInstance> {
  const app = Fastify({
    requestTimeout: REQUEST_TIMEOUT_MS,
    frameworkErrors: (_error, _request, reply) => replyNotFound(reply),
  });
  app.setErrorHandler((error, request, reply) => replyWithError(error, request, reply, dependencies.log));
  app.setNotFoundHandler((_request, reply) => replyNotFound(reply));
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
  });
  endConnectionsWhenClosing(app, dependencies.closing);
  ignoreRequestBodies(app);
  await app.register(compress, {
    encodings: ['gzip'],
    threshold: WORTH_COMPRESSING_BYTES,
    globalDecompression: false,
  });
  addMetrics(app, dependencies);
  addHealth(app);
  if (dependencies.landingPage.telemetryPath !== '/') {
    addLandingPage(app, dependencies.landingPage);
  }
  return app;
}

const TEXT = 'text/plain; charset=utf-8';

function addMetrics(app: FastifyInstance, dependencies: ServerDependencies): void {
  const path = dependencies.landingPage.telemetryPath;
  app.get(path, { exposeHeadRoute: false }, async (request, reply) => {
    const hungUp = hangUpSignal(reply.raw);
    const budgetMs = scrapeBudgetMs(request.headers[TIMEOUT_HEADER]?.toString(), dependencies.timeouts);
    const snapshot = await withDeadline(budgetMs, [hungUp, dependencies.stopping], dependencies.scrape);
    // A snapshot that was cut short for other reasons than its deadline says nothing about Ollama.
    if (!hungUp.aborted && !dependencies.stopping.aborted) {
      dependencies.onSnapshot(snapshot);
    }
    return reply
      .type(Registry.PROMETHEUS_CONTENT_TYPE)
      .send(await render(snapshot, dependencies.selfMetrics));
  });
  // Fastify's own HEAD route would run a whole scrape.
  app.head(path, (_request, reply) => reply.type(Registry.PROMETHEUS_CONTENT_TYPE).send());
}

/** Fires when the connection ends before the answer. Fastify's `request.signal` also does when a body was read. */
function hangUpSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) {
      controller.abort();
    }
  });
  return controller.signal;
}

async function render(snapshot: Snapshot, selfMetrics: Registry | undefined): Promise<string> {
  const registries = [toRegistry(snapshot), ...(selfMetrics ? [selfMetrics] : [])];
  const texts = await Promise.all(registries.map((registry) => registry.metrics()));
  return texts.join('\n');
}

/** Else a scraper's idle connection would hold up the end until it is cut. */
function endConnectionsWhenClosing(app: FastifyInstance, closing: AbortSignal): void {
  app.addHook('onSend', async (_request, reply) => {
    if (closing.aborted) {
      reply.header('connection', 'close');
    }
  });
}

/** No route wants one, so none is worth an error of its own. */
function ignoreRequestBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

/** Neither asks Ollama: they tell whether the exporter lives and serves. */
function addHealth(app: FastifyInstance): void {
  app.get('/-/healthy', (_request, reply) => reply.type(TEXT).send('Healthy\n'));
  app.get('/-/ready', (_request, reply) => reply.type(TEXT).send('Ready\n'));
}

function addLandingPage(app: FastifyInstance, page: LandingPage): void {
  app.get('/', (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', CONTENT_SECURITY_POLICY)
      .send(landingPage(page)),
  );
}

function replyNotFound(reply: FastifyReply): FastifyReply {
  return reply.code(404).type(TEXT).send('not found, see /\n');
}

function replyWithError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Logger,
): FastifyReply {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (error instanceof Error && status < 500) {
    return reply.code(status).type(TEXT).send(`${error.message}\n`);
  }
  log.error({ err: error, method: request.method, url: request.url }, 'could not answer a request');
  return reply.code(500).type(TEXT).send('internal error, see the log of the exporter\n');
}
