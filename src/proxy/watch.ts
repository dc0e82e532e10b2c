/** Measures one exchange: if that fails, the response is passed on all the same. */
import type { Logger } from 'pino';
import { messageOf } from '../log/error-text.ts';
import type { Api } from './apis.ts';
import { OTHER } from './apis.ts';
import type { Watcher } from './exchange.ts';
import { outcomeOf } from './outcome.ts';
import type { ProxyMetrics } from './proxy-metrics.ts';
import type { Reader } from './reader.ts';

export interface WatchDependencies {
  readonly metrics: ProxyMetrics;
  readonly log: Logger;
  readonly createReader: (api: Api, contentType: string, now: () => number) => Reader;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

/**
 * Must be called when the headers of the request have arrived.
 *
 * @param api undefined for a request that is not measured
 */
export function watch(api: Api | undefined, { metrics, log, createReader, now }: WatchDependencies): Watcher {
  const name = api?.name ?? OTHER;
  const startMs = now();
  let status: number | undefined;
  let reader: Reader | undefined;
  let faulty = false;
  const guarded = (measure: () => void) => {
    if (faulty) {
      return;
    }
    try {
      measure();
    } catch (error) {
      faulty = true;
      reader = undefined;
      metrics.addFault();
      log.error({ api: name, err: messageOf(error) }, 'Could not measure a request, which was passed on');
    }
  };
  metrics.begin(name);
  return {
    onHead: (code, { contentType, isEncoded }) => {
      status = code;
      if (api !== undefined && code >= 200 && code < 300 && !isEncoded) {
        guarded(() => {
          reader = createReader(api, contentType, now);
        });
      }
    },
    onData: (chunk) => {
      if (reader !== undefined) {
        guarded(() => reader?.push(chunk));
      }
    },
    onEnd: (ending) => {
      metrics.end(name);
      guarded(() => {
        const findings = reader?.findings();
        const firstMs = reader?.firstContentMs();
        metrics.add({
          api: name,
          outcome: outcomeOf(status, ending, findings),
          findings,
          durationSeconds: (now() - startMs) / 1_000,
          firstTokenSeconds: firstMs === undefined ? undefined : (firstMs - startMs) / 1_000,
        });
      });
    },
  };
}
