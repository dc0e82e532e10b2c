/** The page at `/` and its numbers as JSON: of the Ollama of the options, or of any that /probe may ask. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { RequestError } from '../scrape/request-error.ts';
import type { PageAssets } from '../status/assets.ts';
import { type PageFrame, refusalPage, statusPage } from '../status/page.ts';
import { type Status, statusOf } from '../status/status.ts';
import type { RunningConfig } from '../targets/modules.ts';
import type { Targets } from '../targets/targets.ts';
import { queryOf } from './query.ts';
import { logRefusal } from './refusal-log.ts';
import { type ScrapeDependencies, scrapeFor } from './scrape-request.ts';

export interface StatusDependencies extends ScrapeDependencies {
  readonly targets: Targets;
  readonly config: RunningConfig;
  readonly assets: PageAssets;
  /** Of the exporter. */
  readonly version: string;
  readonly telemetryPath: string;
  /** Whether the Ollama of the options is a simulation. */
  readonly simulated: boolean;
  readonly log: Logger;
}

const HTML = 'text/html; charset=utf-8';

export function addStatusRoutes(app: FastifyInstance, dependencies: StatusDependencies): void {
  app.get('/api/status', { exposeHeadRoute: false }, async (request, reply) =>
    reply.header('cache-control', 'no-store').send(await readStatus(request, reply, dependencies)),
  );
  if (dependencies.telemetryPath !== '/') {
    app.get('/', { exposeHeadRoute: false }, (request, reply) => sendPage(request, reply, dependencies));
    app.head('/', (_request, reply) => reply.type(HTML).send());
  }
}

async function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  dependencies: StatusDependencies,
): Promise<FastifyReply> {
  const { config, assets, version, telemetryPath } = dependencies;
  const query = queryOf(request);
  const search = query.size === 0 ? '' : `?${query}`;
  const frame: PageFrame = { version, telemetryPath, search, openModules: config.openModules() };
  reply.type(HTML).header('content-security-policy', assets.policy).header('cache-control', 'no-store');
  try {
    return reply.send(statusPage(await readStatus(request, reply, dependencies), frame, assets));
  } catch (error) {
    if (error instanceof RequestError) {
      return reply.code(error.statusCode).send(refusalPage(error.message, frame, assets));
    }
    throw error;
  }
}

async function readStatus(
  request: FastifyRequest,
  reply: FastifyReply,
  dependencies: StatusDependencies,
): Promise<Status> {
  const { targets, simulated, log } = dependencies;
  const query = queryOf(request);
  const isLocal = !query.has('target');
  try {
    const target = isLocal ? targets.local() : targets.probed(query);
    const { snapshot } = await scrapeFor(request, reply, target, dependencies);
    return statusOf(snapshot, {
      target: target.url,
      module: target.module.name,
      simulated: isLocal && simulated,
      readAt: new Date(),
    });
  } catch (error) {
    logRefusal(log, request, error);
    throw error;
  }
}
