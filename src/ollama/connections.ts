/** Turns paths into the texts that one HTTP server answers, over connections that are kept between calls. */

import { messageOf } from '../log/error-text.ts';
import type { CancelSignal } from './cancellation.ts';
import { type ConnectorOptions, createConnector } from './connector.ts';
import { ApiError, ForbiddenAddressError, failureReason } from './errors.ts';
import { exchange, type Request } from './exchange.ts';
import { type IdleClients, keepIdleClients } from './idle-clients.ts';
import { serverClock } from './server-clock.ts';

/** Two hundred models make 76 KB; who sends more than this is not Ollama. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** Longer than the longest usual scrape interval, a minute, so that each scrape finds its connection open. */
export const IDLE_MS = 90_000;

/** What is read of an answer that is not 200, for one who watches: it is not worth more of the scrape's time. */
const ERROR_BODY_BYTES = 4_096;

export interface ConnectionOptions extends ConnectorOptions {
  /** To send with each call; asked for each time, as they may hold secrets that rotate. */
  readonly headers?: (() => Promise<Readonly<Record<string, string>>>) | undefined;
}

/** What there is of a call until now. */
export interface Progress {
  /** As they were sent. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly status?: number;
  /** Of a 200 all of it, else how it begins. */
  readonly body?: string;
}

/** Called as a call goes on, with what is new. */
export type Watch = (path: string, progress: Progress) => void;

export interface Reply {
  readonly text: string;
  /** Unix milliseconds by the clock of the server when it answered. */
  readonly nowMs: () => number;
}

export interface Connections {
  /**
   * @returns the answer, if its status is 200
   * @throws ApiError, ForbiddenAddressError
   */
  readonly get: (path: string, signal: CancelSignal, watch?: Watch) => Promise<Reply>;
  /** Drops every connection, those with a call under way included. */
  readonly close: () => Promise<void>;
}

/** @param origin scheme, host and port of the server; the deadline of a call is its signal's alone */
export function openConnections(origin: string, options: ConnectionOptions): Connections {
  const clients = keepIdleClients(origin, {
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: IDLE_MS,
    connect: createConnector(options),
    maxResponseSize: MAX_BODY_BYTES,
  });
  return {
    get: async (path, signal, watch) => {
      const attempt = (fresh: boolean) => ask({ clients, fresh, options, path, signal, watch });
      try {
        return await attempt(false);
      } catch (error) {
        // A server that was restarted without a word leaves connections behind that end with the next call.
        if (error instanceof ApiError && error.reason === 'reset' && !signal.aborted) {
          return await attempt(true);
        }
        throw error;
      }
    },
    close: clients.close,
  };
}

interface Call {
  readonly clients: IdleClients;
  /** Over a connection that is new. */
  readonly fresh: boolean;
  readonly options: ConnectionOptions;
  readonly path: string;
  readonly signal: CancelSignal;
  readonly watch: Watch | undefined;
}

async function ask({ clients, fresh, options, path, signal, watch }: Call): Promise<Reply> {
  let status = 0;
  let nowMs = () => 0;
  try {
    const more = options.headers && (await whileNotAborted(signal, options.headers()));
    const headers = { accept: 'application/json', ...more };
    watch?.(path, { headers });
    const body = await overIdle(clients, fresh, {
      path,
      headers,
      signal,
      onHead: (code, { date }) => {
        status = code;
        const localMs = Date.now();
        nowMs = () => serverClock(date, localMs);
        watch?.(path, { status });
        return wantedBytes(status, watch);
      },
    });
    const text = decode(body);
    watch?.(path, { body: text });
    if (status !== 200) {
      throw new ApiError('status', `status ${status}`, { status });
    }
    return { text, nowMs };
  } catch (error) {
    throw asCallError(error, signal, status !== 0);
  }
}

/** After a call that failed, the connection may wait for an answer that never comes. */
async function overIdle(clients: IdleClients, fresh: boolean, request: Request): Promise<Buffer> {
  const client = clients.take(fresh);
  let fit = false;
  try {
    const body = await exchange(client, request);
    fit = true;
    return body;
  } finally {
    clients.giveBack(client, fit);
  }
}

/** A file with a secret may lie on a disk that does not answer. */
async function whileNotAborted<T>(signal: CancelSignal, work: Promise<T>): Promise<T> {
  let onAbort = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** What a server says beside an error must not cost the scrape its time. */
function wantedBytes(status: number, watch: Watch | undefined): number {
  if (status === 200) {
    return Number.POSITIVE_INFINITY;
  }
  return watch === undefined ? 0 : ERROR_BODY_BYTES;
}

/** UTF-8, without the mark that some servers begin it with. */
function decode(body: Buffer): string {
  const text = body.toString();
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

function asCallError(error: unknown, signal: CancelSignal, answered: boolean): Error {
  const cause = signal.aborted ? signal.reason : error;
  if (cause instanceof ApiError || cause instanceof ForbiddenAddressError) {
    return cause;
  }
  const reason = signal.aborted ? 'timeout' : failureReason(cause, answered);
  return new ApiError(reason, messageOf(cause), { cause });
}
