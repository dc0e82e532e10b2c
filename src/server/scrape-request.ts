/** A request for a scrape → a snapshot, within the scraper's timeout and while it is connected. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { scrapeBudgetMs, TIMEOUT_HEADER, withDeadline } from '../scrape/limits.ts';
import { RequestError } from '../scrape/request-error.ts';
import type { Snapshot } from '../scrape/snapshot.ts';
import type { Target } from '../targets/targets.ts';
import type { ServerDependencies } from './dependencies.ts';

export interface Scraped {
  readonly target: Target;
  readonly snapshot: Snapshot;
  readonly budgetMs: number;
  /** Completed or timed out: only then is a failure one of Ollama. */
  readonly complete: boolean;
}

/** Not split at each `?`: a second one belongs to a value. A doubly encoded `target` is decoded here. */
export function queryOf({ url }: { readonly url: string }): URLSearchParams {
  const query = new URL(url, 'http://exporter').searchParams;
  const [target, second] = query.getAll('target');
  if (target !== undefined && second === undefined) {
    query.set('target', target.replace(BEFORE_PATH, decoded));
  }
  return query;
}

/** A host never contains `%`, a path may. A doubly encoded target has no path, as its slashes are `%2F`. */
const BEFORE_PATH = /^(?:https?:\/\/)?[^/]*/;

/** A malformed escape is kept, and is not a valid host. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @throws RequestError with status 400 for an invalid timeout header, 503 above the limit; errors of the target */
export async function scrape(
  request: FastifyRequest,
  reply: FastifyReply,
  target: Target,
  { config, share, limit, stopping }: ServerDependencies,
): Promise<Scraped> {
  const header = request.headers[TIMEOUT_HEADER]?.toString();
  const budgetMs = scrapeBudgetMs(header, target.longestMs, config.timeoutOffsetMs);
  const { raw } = reply;
  return await withDeadline(budgetMs, [stopping], async (signal, cancel) => {
    // Fastify's `request.signal` also fires when a body was read.
    raw.once('close', cancel);
    try {
      const snapshot = await share(target, signal, limit);
      return { target, snapshot, budgetMs, complete: !(raw.closed || stopping.aborted) };
    } finally {
      raw.off('close', cancel);
    }
  });
}

/**
 * Scrapes the target in the query, and logs one that is not allowed.
 *
 * @throws RequestError with status 400 or 403 if the query has no allowed target; and the errors of `scrape`
 */
export async function scrapeProbed(
  request: FastifyRequest,
  reply: FastifyReply,
  dependencies: ServerDependencies,
): Promise<Scraped> {
  const query = queryOf(request);
  try {
    return await scrape(request, reply, dependencies.targets.probed(query), dependencies);
  } catch (error) {
    if (error instanceof RequestError && error.statusCode === 403) {
      const { message, cause } = error;
      // Only the log may show which address a name resolves to.
      const because = cause instanceof Error ? { because: cause.message } : {};
      dependencies.logRefusal(request.ip, { target: query.get('target'), err: message, ...because });
    }
    throw error;
  }
}
