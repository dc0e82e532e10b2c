/** Dependencies of the server, for tests that replace one of them. */
import { createServer } from 'node:http';
import pino from 'pino';
import { UNLIMITED } from '../../src/scrape/limits.ts';
import { createSharing } from '../../src/scrape/sharing.ts';
import type { ServerDependencies } from '../../src/server/dependencies.ts';
import { createFleet } from '../../src/status/fleet.ts';
import { loadModules } from '../../src/targets/modules.ts';
import { createTargets } from '../../src/targets/targets.ts';
import { configOf, NO_CAPACITY } from '../exporter-in-process.ts';

export async function dependencies(): Promise<ServerDependencies> {
  const log = pino({ level: 'silent' });
  const modules = await loadModules(undefined, 1_000, log);
  const url = new URL('http://127.0.0.1:1');
  const { signal } = new AbortController();
  return {
    config: configOf([]),
    version: '1',
    targets: createTargets(
      { url, userAgent: 'test', capacity: () => NO_CAPACITY, collectors: ['ps', 'version'] },
      modules,
    ),
    modules,
    share: createSharing(),
    limit: UNLIMITED,
    fleet: createFleet(),
    watchRequests: () => {},
    own: undefined,
    onSnapshot: () => {},
    createServer: (handler, limits) => createServer(limits, handler),
    closing: signal,
    stopping: signal,
    log,
    logRefusal: () => {},
  };
}
