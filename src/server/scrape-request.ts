/** Turns a request and a target into a snapshot, within the time that the scraper has and for as long as it waits. */
import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CancelSignal } from '../ollama/cancellation.ts';
import type { Watch } from '../ollama/connections.ts';
import {
  type Ending,
  scrapeBudgetMs,
  TIMEOUT_HEADER,
  whenAborted,
  withDeadline,
} from '../scrape/deadline.ts';
import type { Readings } from '../scrape/sharing.ts';
import type { Snapshot } from '../scrape/snapshot.ts';
import type { Target } from '../targets/targets.ts';

export interface ScrapeDependencies {
  readonly readings: Readings;
  /** Kept back from the time that the scraper has, for the way back to it. */
  readonly offsetMs: number;
  /** Ends the scrapes under way, with what they have by then. */
  readonly stopping: CancelSignal;
}

export interface Scraped {
  readonly snapshot: Snapshot;
  readonly budgetMs: number;
  /** Not cut short for another reason than its deadline: only then does a failure say something about Ollama. */
  readonly complete: boolean;
}

/** @throws RequestError with status 400 for a bad timeout header, 503 beyond the limit; and what the target throws */
export async function scrapeFor(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  target: Target,
  { readings, offsetMs, stopping }: ScrapeDependencies,
  watch?: Watch,
): Promise<Scraped> {
  const { timeoutMs, read } = target;
  const budgetMs = scrapeBudgetMs(headers[TIMEOUT_HEADER]?.toString(), { timeoutMs, offsetMs });
  const readable = { owner: target.module, key: target.url.href, longestMs: timeoutMs, start: read };
  const snapshot = await withDeadline(budgetMs, [whenHungUp(reply.raw), whenAborted(stopping)], (signal) =>
    watch === undefined
      ? readings.shared(readable, signal)
      : readings.alone((own) => read(own, watch), signal),
  );
  return { snapshot, budgetMs, complete: !hasHungUp(reply.raw) && !stopping.aborted };
}

/** When the connection ends before the answer. Fastify's `request.signal` also fires when a body was read. */
function whenHungUp(response: ServerResponse): Ending {
  return (end) => {
    response.once('close', end);
    return () => response.off('close', end);
  };
}

function hasHungUp(response: ServerResponse): boolean {
  return response.closed && !response.writableFinished;
}
