/** The telemetry path: what the Ollama of the options says of itself, and what the exporter does. */
import type { FastifyInstance } from 'fastify';
import { renderExposition } from '../metrics/exposition.ts';
import type { SelfMetrics } from '../metrics/own.ts';
import { CONTENT_TYPE, joinFamilies, type Text } from '../metrics/text-format.ts';
import { rememberingLast } from '../ollama/remembering-last.ts';
import type { Snapshot } from '../scrape/snapshot.ts';
import type { Targets } from '../targets/targets.ts';
import { type ScrapeDependencies, scrapeFor } from './scrape-request.ts';

export interface MetricsDependencies extends ScrapeDependencies {
  readonly targets: Targets;
  /** Called with each snapshot that a scraper waited for to its end. */
  readonly onSnapshot: (snapshot: Snapshot) => void;
  /** The exporter's own metrics; undefined leaves them out. */
  readonly selfMetrics: SelfMetrics | undefined;
}

export function addMetricsRoute(app: FastifyInstance, path: string, dependencies: MetricsDependencies): void {
  const { targets, onSnapshot, selfMetrics } = dependencies;
  // Scrapes that share a reading are sent the same.
  const render = rememberingLast(renderExposition);
  const withOwn = rememberingLast((own: Text) =>
    rememberingLast((metrics: Text) => joinFamilies([metrics, own])),
  );
  app.get(path, { exposeHeadRoute: false }, async (request, reply) => {
    const { snapshot, complete } = await scrapeFor(request, reply, targets.local(), dependencies);
    if (complete) {
      onSnapshot(snapshot);
    }
    const metrics = render(snapshot);
    return reply
      .type(CONTENT_TYPE)
      .send(selfMetrics ? withOwn(await selfMetrics.render())(metrics) : metrics);
  });
  // Fastify's own HEAD route would run a whole scrape.
  app.head(path, (_request, reply) => reply.type(CONTENT_TYPE).send());
}
