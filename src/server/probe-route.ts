/** The route /probe: metrics of an allowed target or, with `debug=true`, a human-readable report. */
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { createRepeatLog, type LogRepeated } from '../log/repeats.ts';
import { CONTENT_TYPE, createRender } from '../metrics/registry.ts';
import { UNLIMITED } from '../scrape/limits.ts';
import { outcomes } from '../scrape/snapshot.ts';
import { debugReport } from './debug-report.ts';
import type { ServerDependencies } from './dependencies.ts';
import { queryOf, type Scraped, scrapeProbed } from './scrape-request.ts';

export function addProbeRoute(app: FastifyInstance, dependencies: ServerDependencies): void {
  const render = createRender();
  const logRepeated = createRepeatLog();
  // The scrape of a hanging target takes the whole timeout: if half a fleet hangs, it would exhaust any limit.
  const unlimited = { ...dependencies, limit: UNLIMITED };
  app.get('/probe', { exposeHeadRoute: false }, async (request, reply) => {
    const scraped = await scrapeProbed(request, reply, unlimited);
    logFailures(dependencies.log, logRepeated, scraped);
    if (scraped.complete) {
      const { target, snapshot } = scraped;
      dependencies.fleet.remember(target.url, target.module.name, snapshot);
    }
    const metrics = await render(scraped.snapshot);
    return queryOf(request).get('debug') === 'true'
      ? reply.send(debugReport(scraped, metrics))
      : reply.type(CONTENT_TYPE).send(metrics);
  });
  app.head('/probe', (_request, reply) => reply.type(CONTENT_TYPE).send());
}

/** Unlike on the telemetry path, state changes are not logged: no state of a target is kept. */
function logFailures(
  log: Logger,
  logRepeated: LogRepeated,
  { target: { url, module }, snapshot }: Scraped,
): void {
  for (const [api, outcome] of outcomes(snapshot)) {
    if (!outcome.ok) {
      const { reason, message } = outcome.error;
      const fields = { target: url.href, module: module.name, api, reason, err: message };
      const text = 'A request of a probe failed';
      // Errors in the exporter's own files are logged for its operator; failures of a target are in its metrics.
      if (reason === 'config') {
        logRepeated(`${module.name} ${api}`, message, (repeats) =>
          log.warn({ ...fields, ...(repeats > 0 && { repeats }) }, text),
        );
      } else {
        log.debug(fields, text);
      }
    }
  }
}
