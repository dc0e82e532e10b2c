/** The page at `/` and its values as JSON: for --ollama.url, for an allowed target, or for the fleet. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RequestError } from '../scrape/request-error.ts';
import type { Snapshot } from '../scrape/snapshot.ts';
import { type PageAssets, readPageAssets } from '../status/assets.ts';
import { fleetTable } from '../status/fleet-table.ts';
import { fleetPage, type PageFrame, refusalPage, statusPage } from '../status/page.ts';
import { type Status, statusOf } from '../status/status.ts';
import { DEFAULT_MODULE } from '../targets/modules.ts';
import type { ServerDependencies } from './dependencies.ts';
import { queryOf, scrape, scrapeProbed } from './scrape-request.ts';
import { createSharedTexts, type SharedTexts } from './shared-texts.ts';

const JSON_TYPE = 'application/json; charset=utf-8';
const HTML = 'text/html; charset=utf-8';

export function addStatusRoutes(app: FastifyInstance, dependencies: ServerDependencies): void {
  const assets = readPageAssets();
  const shared = createSharedTexts();
  app.get('/api/status', { exposeHeadRoute: false }, async (request, reply) => {
    const { snapshot, status } = await readStatus(request, reply, dependencies);
    const text = shared(snapshot, 'json', () => JSON.stringify(status()));
    return reply.header('cache-control', 'no-store').type(JSON_TYPE).send(text);
  });
  app.head('/api/status', (_request, reply) => reply.type(JSON_TYPE).send());
  app.head('/api/fleet', (_request, reply) => reply.type(JSON_TYPE).send());
  app.get('/api/fleet', { exposeHeadRoute: false }, (_request, reply) => {
    const targets = dependencies.fleet.rows();
    const text = shared(targets, 'json', () => JSON.stringify({ targets }));
    return reply.header('cache-control', 'no-store').type(JSON_TYPE).send(text);
  });
  if (dependencies.config.telemetryPath !== '/') {
    app.get('/', { exposeHeadRoute: false }, (request, reply) =>
      sendPage(request, reply, dependencies, assets, shared),
    );
    app.head('/', (_request, reply) => reply.type(HTML).send());
  }
}

async function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  dependencies: ServerDependencies,
  assets: PageAssets,
  shared: SharedTexts,
): Promise<FastifyReply> {
  const { config, modules, targets, fleet, version } = dependencies;
  const query = queryOf(request);
  const search = query.size === 0 ? '' : `?${query}`;
  const isLocal = !query.has('target');
  const hasOllama = targets.local() !== undefined;
  const openModules = modules.probeable();
  const frame: PageFrame = {
    version,
    telemetryPath: config.telemetryPath,
    search,
    openModules,
    dashboardUrl: config.dashboardUrl,
    capacitySource: query.has('target')
      ? { module: query.get('module') || DEFAULT_MODULE }
      : { vram: config.vramCapacity, memory: config.memoryCapacity },
  };
  const rows = isLocal && (openModules.length > 0 || !hasOllama) ? fleet.rows() : undefined;
  const framed = (): PageFrame => ({ ...frame, fleet: rows && fleetTable(rows, query) });
  reply.type(HTML).header('content-security-policy', assets.policy).header('cache-control', 'no-store');
  if (rows !== undefined && !hasOllama) {
    return reply.send(shared(rows, request.url, () => fleetPage(framed(), assets)));
  }
  try {
    const { snapshot, status } = await readStatus(request, reply, dependencies);
    return reply.send(shared(snapshot, request.url, () => statusPage(status(), framed(), assets)));
  } catch (error) {
    if (error instanceof RequestError) {
      return reply.code(error.statusCode).send(refusalPage(error.statusCode, error.message, frame, assets));
    }
    throw error;
  }
}

async function readStatus(
  request: FastifyRequest,
  reply: FastifyReply,
  dependencies: ServerDependencies,
): Promise<{ readonly snapshot: Snapshot; readonly status: () => Status }> {
  const isLocal = !queryOf(request).has('target');
  const local = isLocal ? dependencies.targets.local() : undefined;
  if (isLocal && local === undefined) {
    throw new RequestError(400, 'Target parameter is missing: --ollama.url is none, see /api/fleet');
  }
  const { snapshot, target } =
    local === undefined
      ? await scrapeProbed(request, reply, dependencies)
      : await scrape(request, reply, local, dependencies);
  const source = {
    target: target.url,
    module: target.module.name,
    simulated: isLocal && dependencies.config.demo,
    readAt: new Date(),
  };
  return { snapshot, status: () => statusOf(snapshot, source) };
}
