/** The telemetry path: the metrics of --ollama.url, and of the exporter itself. */
import type { FastifyInstance } from 'fastify';
import { CONTENT_TYPE, createRender } from '../metrics/registry.ts';
import { isUp } from '../scrape/snapshot.ts';
import type { ServerDependencies } from './dependencies.ts';
import { scrape } from './scrape-request.ts';

/** If a scrape with a shorter timeout fails, that is no failure of Ollama. */
const MIN_TIMEOUT_MS = 200;

export function addMetricsRoute(app: FastifyInstance, dependencies: ServerDependencies): void {
  const { config, targets, own, onSnapshot } = dependencies;
  const render = createRender(own);
  app.get(config.telemetryPath, { exposeHeadRoute: false }, async (request, reply) => {
    const target = targets.local();
    if (target === undefined) {
      return reply.type(CONTENT_TYPE).send((await own?.metrics()) ?? '');
    }
    const { snapshot, complete, budgetMs } = await scrape(request, reply, target, dependencies);
    // Otherwise a client could forge an outage in the log with a timeout that no scrape can meet.
    if (complete && (budgetMs >= MIN_TIMEOUT_MS || isUp(snapshot))) {
      onSnapshot(snapshot);
    }
    return reply.type(CONTENT_TYPE).send(await render(snapshot));
  });
  // Fastify's own HEAD route would run a whole scrape.
  app.head(config.telemetryPath, (_request, reply) => reply.type(CONTENT_TYPE).send());
}
