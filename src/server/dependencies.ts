/** The dependencies of the exporter's routes. */
import type { RequestListener, Server, ServerOptions } from 'node:http';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Config } from '../config/options.ts';
import type { ScrapeLimit } from '../scrape/limits.ts';
import type { ShareScrape } from '../scrape/sharing.ts';
import type { Snapshot } from '../scrape/snapshot.ts';
import type { Fleet } from '../status/fleet.ts';
import type { Modules } from '../targets/modules.ts';
import type { Targets } from '../targets/targets.ts';
import type { LogRefusal } from './refusal-log.ts';

export interface ServerDependencies {
  readonly config: Pick<
    Config,
    'dashboardUrl' | 'demo' | 'memoryCapacity' | 'telemetryPath' | 'timeoutOffsetMs' | 'vramCapacity'
  >;
  /** The version of the exporter. */
  readonly version: string;
  readonly targets: Targets;
  readonly modules: Modules;
  readonly share: ShareScrape;
  /** For scrapes by the telemetry path and the page, not by /probe. */
  readonly limit: ScrapeLimit;
  /** The last result of each probed target. */
  readonly fleet: Fleet;
  /** Counts the requests of a server. */
  readonly watchRequests: (server: Server) => void;
  /** Counters, and the exporter's own metrics unless disabled; undefined if there are none. */
  readonly own: Registry | undefined;
  /** Called with each complete snapshot of the telemetry path. */
  readonly onSnapshot: (snapshot: Snapshot) => void;
  /** Creates the server that passes its requests to the app, with TLS and authentication if configured. */
  readonly createServer: (handler: RequestListener, limits: ServerOptions) => Server;
  /** Aborted when no new scrapes are accepted. */
  readonly closing: AbortSignal;
  /** Ends running scrapes; they return partial results. */
  readonly stopping: AbortSignal;
  readonly log: Logger;
  readonly logRefusal: LogRefusal;
}
