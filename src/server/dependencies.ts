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
  /** Of the exporter. */
  readonly version: string;
  readonly targets: Targets;
  readonly modules: Modules;
  readonly share: ShareScrape;
  /** Of the scrapes that the telemetry path and the page start, not of those that /probe starts. */
  readonly limit: ScrapeLimit;
  /** What /probe scraped. */
  readonly fleet: Fleet;
  /** Counts the requests of a server. */
  readonly watchRequests: (server: Server) => void;
  /** Counters, and the exporter's own metrics unless they are left out; undefined where there are none. */
  readonly own: Registry | undefined;
  /** Called with each snapshot of the telemetry path that a scraper waited for to its end. */
  readonly onSnapshot: (snapshot: Snapshot) => void;
  /** Creates the server that passes its requests to the app, with TLS and authentication if configured. */
  readonly createServer: (handler: RequestListener, limits: ServerOptions) => Server;
  /** Has fired when no new scrape is wanted. */
  readonly closing: AbortSignal;
  /** Ends running scrapes; they return what they have. */
  readonly stopping: AbortSignal;
  readonly log: Logger;
  readonly logRefusal: LogRefusal;
}
