/** Counts the requests that the exporter receives, including unauthenticated ones. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Counter, Gauge } from 'prom-client';
import type { RegisterMetrics } from '../metrics/own.ts';

/** nginx's status for a client that disconnected before the response. */
const CLIENT_CLOSED_REQUEST = '499';

/** Codes that start at 0, so that `increase()` counts the first one. */
const KNOWN_CODES = {
  metrics: ['200', '400', '500', '503', CLIENT_CLOSED_REQUEST],
  probe: ['200', '400', '403', '500', CLIENT_CLOSED_REQUEST],
  page: ['200', '400', '403', '500', '503', CLIENT_CLOSED_REQUEST],
  status: ['200', '400', '403', '500', '503', CLIENT_CLOSED_REQUEST],
  other: ['200', '404', '500'],
} as const;

type Handler = keyof typeof KNOWN_CODES;

export interface RequestMetrics {
  /** Must be called once for each server, after its listeners are added. */
  readonly watch: (server: Server) => void;
  readonly register: RegisterMetrics;
}

export function createRequestMetrics(telemetryPath: string): RequestMetrics {
  const total = new Counter({
    name: 'ollama_exporter_http_requests_total',
    help: 'HTTP requests by handler and status; 499 is a client that disconnected before the response.',
    labelNames: ['handler', 'code'],
    registers: [],
  });
  const inFlight = new Gauge({
    name: 'ollama_exporter_http_requests_in_flight',
    help: 'HTTP requests in progress, by handler.',
    labelNames: ['handler'],
    registers: [],
  });
  for (const [handler, codes] of Object.entries(KNOWN_CODES)) {
    inFlight.set({ handler }, 0);
    for (const code of codes) {
      total.inc({ handler, code }, 0);
    }
  }
  const handlers = new Map<string, Handler>([
    ['/', 'page'],
    ['/probe', 'probe'],
    ['/api/status', 'status'],
    ['/api/fleet', 'status'],
    [telemetryPath, 'metrics'],
  ]);
  const count = ({ url = '' }: IncomingMessage, response: ServerResponse) => {
    const handler = handlers.get(url.replace(/\?.*/s, '')) ?? 'other';
    inFlight.inc({ handler });
    // Emitted once for each response, even if the client disconnected.
    response.once('close', () => {
      inFlight.dec({ handler });
      total.inc({
        handler,
        code: response.headersSent ? String(response.statusCode) : CLIENT_CLOSED_REQUEST,
      });
    });
  };
  return {
    watch: (server) => {
      // Adding the first listener for one of the last two would disable the default of Node.js.
      for (const event of ['request', 'checkContinue', 'checkExpectation']) {
        if (server.listenerCount(event) > 0) {
          server.prependListener(event, count);
        }
      }
    },
    register: (registry) => {
      registry.registerMetric(total);
      registry.registerMetric(inFlight);
    },
  };
}
