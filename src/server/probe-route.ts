/** Answers /probe: what any Ollama that a module allows says of itself, as metrics or, for people, as a report. */
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { CONTENT_TYPE, createRender } from '../metrics/registry.ts';
import { outcomes, type Snapshot } from '../scrape/snapshot.ts';
import type { Target, Targets } from '../targets/targets.ts';
import { TEXT } from './content-type.ts';
import { debugReport, recordExchanges } from './debug-report.ts';
import { queryOf } from './query.ts';
import { logRefusal } from './refusal-log.ts';
import { type ScrapeDependencies, scrapeFor } from './scrape-request.ts';

export interface ProbeDependencies extends ScrapeDependencies {
  readonly targets: Targets;
  readonly log: Logger;
}

export function addProbeRoute(app: FastifyInstance, dependencies: ProbeDependencies): void {
  const { targets, log } = dependencies;
  const render = createRender();
  app.get('/probe', { exposeHeadRoute: false }, async (request, reply) => {
    const query = queryOf(request);
    const record = recordExchanges();
    const debug = query.get('debug') === 'true';
    try {
      const target = targets.probed(query);
      const scraped = await scrapeFor(request, reply, target, dependencies, debug ? record.watch : undefined);
      logFailures(log, target, scraped.snapshot);
      const metrics = await render(scraped.snapshot);
      return debug
        ? reply.type(TEXT).send(debugReport(query.get('target') ?? '', target, scraped, record, metrics))
        : reply.type(CONTENT_TYPE).send(metrics);
    } catch (error) {
      logRefusal(log, request, error);
      throw error;
    }
  });
  app.head('/probe', (_request, reply) => reply.type(CONTENT_TYPE).send());
}

/** Not by state, as on the telemetry path: nothing of a target is kept that could tell a change. */
function logFailures(log: Logger, { url, module }: Target, snapshot: Snapshot): void {
  for (const [api, outcome] of outcomes(snapshot)) {
    if (!outcome.ok) {
      const { reason, message } = outcome.error;
      // What is wrong with the exporter's own files is for its operator; what is with a target, its metrics tell.
      const level = reason === 'config' ? 'warn' : 'debug';
      log[level](
        { target: url.href, module: module.name, api, reason, err: message },
        'A call of a probe failed',
      );
    }
  }
}
