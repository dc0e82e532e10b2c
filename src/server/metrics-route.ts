/** The telemetry path: what the Ollama of the options says of itself, and what the exporter does. */
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { CONTENT_TYPE, createRender } from '../metrics/registry.ts';
import type { Snapshot } from '../scrape/snapshot.ts';
import type { Targets } from '../targets/targets.ts';
import { type ScrapeDependencies, scrapeFor } from './scrape-request.ts';

export interface MetricsDependencies extends ScrapeDependencies {
  readonly targets: Targets;
  /** Called with each snapshot that a scraper waited for to its end. */
  readonly onSnapshot: (snapshot: Snapshot) => void;
  /** The exporter's own metrics; undefined leaves them out. */
  readonly ownMetrics: Registry | undefined;
}

export function addMetricsRoute(app: FastifyInstance, path: string, dependencies: MetricsDependencies): void {
  const { targets, onSnapshot, ownMetrics } = dependencies;
  const render = createRender(ownMetrics);
  app.get(path, { exposeHeadRoute: false }, async (request, reply) => {
    const { snapshot, complete } = await scrapeFor(request, reply, targets.local(), dependencies);
    if (complete) {
      onSnapshot(snapshot);
    }
    return reply.type(CONTENT_TYPE).send(await render(snapshot));
  });
  // Fastify's own HEAD route would run a whole scrape.
  app.head(path, (_request, reply) => reply.type(CONTENT_TYPE).send());
}
