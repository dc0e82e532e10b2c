/** The telemetry path: what the Ollama of the options says of itself, and what the exporter does. */
import type { FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import { renderExposition } from './exposition.ts';
import type { Snapshot } from './scrape.ts';
import { type ScrapeDependencies, scrapeFor } from './scrape-request.ts';
import type { Targets } from './targets.ts';

export interface MetricsDependencies extends ScrapeDependencies {
  readonly targets: Targets;
  /** Called with each snapshot that a scraper waited for to its end. */
  readonly onSnapshot: (snapshot: Snapshot) => void;
  /** The exporter's own metrics; undefined leaves them out. */
  readonly selfMetrics: Registry | undefined;
}

export function addMetricsRoute(app: FastifyInstance, path: string, dependencies: MetricsDependencies): void {
  const { targets, onSnapshot, selfMetrics } = dependencies;
  const ownMetrics = selfMetrics && sharedInTurn(() => selfMetrics.metrics());
  app.get(path, { exposeHeadRoute: false }, async (request, reply) => {
    const { snapshot, complete } = await scrapeFor(request, reply, targets.local(), dependencies);
    if (complete) {
      onSnapshot(snapshot);
    }
    const metrics = renderExposition(snapshot);
    const text = ownMetrics === undefined ? metrics : `${metrics}\n${await ownMetrics()}`;
    return reply.type(Registry.PROMETHEUS_CONTENT_TYPE).send(text);
  });
  // Fastify's own HEAD route would run a whole scrape.
  app.head(path, (_request, reply) => reply.type(Registry.PROMETHEUS_CONTENT_TYPE).send());
}

/** Scrapes that are answered in the same turn of the event loop share this: it costs more than all else of an answer. */
function sharedInTurn<T>(work: () => Promise<T>): () => Promise<T> {
  let shared: Promise<T> | undefined;
  return () => {
    if (shared === undefined) {
      shared = work();
      setImmediate(() => {
        shared = undefined;
      });
    }
    return shared;
  };
}
