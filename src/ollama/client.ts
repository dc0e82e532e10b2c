/** Asks an Ollama server over HTTP. The only file that knows Ollama's paths. */
import { type Dispatcher, Pool } from 'undici';
import { ApiError, failureReason, messageOf } from './api-error.ts';
import { type InstalledModels, parseInstalledModels } from './installed-models.ts';
import { isRecord, textOf } from './json.ts';
import { parseRunningModels, type RunningModels } from './running-models.ts';

/** Two hundred models make 76 KB; who sends more than this is not Ollama. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** Go writes `Date` in whole seconds, so a smaller difference may be none. */
const MAX_CLOCK_SKEW_MS = 2_000;

export interface OllamaClient {
  /** @throws ApiError, as all calls do */
  readonly runningModels: (signal: AbortSignal) => Promise<RunningModels>;
  readonly version: (signal: AbortSignal) => Promise<string>;
  /** Not for every scrape: Ollama reads and hashes every manifest on disk at each call. */
  readonly installedModels: (signal: AbortSignal) => Promise<InstalledModels>;
  /** Drops every connection, those with a call under way included. */
  readonly close: () => Promise<void>;
}

export interface OllamaClientOptions {
  /** Milliseconds after which an attempt to connect is given up, even if nobody waits for it any more. */
  readonly connectTimeoutMs: number;
}

interface Answer {
  readonly body: unknown;
  /** Unix milliseconds by the clock of the Ollama host when it answered. */
  readonly nowMs: number;
}

/**
 * @param base the server, with the path prefix to put before `/api/…`
 * @returns a client that keeps connections alive between calls; the deadline of a call is its signal's alone
 */
export function createOllamaClient(base: URL, options: OllamaClientOptions): OllamaClient {
  const pool = new Pool(base.origin, {
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: options.connectTimeoutMs },
    maxResponseSize: MAX_BODY_BYTES,
  });
  const prefix = base.pathname.replace(/\/$/, '');

  async function call<T>(api: string, signal: AbortSignal, parse: (answer: Answer) => T): Promise<T> {
    const path = `${prefix}/api/${api}`;
    let answered = false;
    try {
      const response = await pool.request({
        method: 'GET',
        path,
        signal,
        headers: { accept: 'application/json' },
      });
      answered = true;
      return parse(await readAnswer(response));
    } catch (error) {
      throw asApiError(error, `could not read ${path}`, signal, answered);
    }
  }

  return {
    runningModels: (signal) => call('ps', signal, ({ body, nowMs }) => parseRunningModels(body, nowMs)),
    version: (signal) => call('version', signal, ({ body }) => parseVersion(body)),
    installedModels: (signal) => call('tags', signal, ({ body }) => parseInstalledModels(body)),
    close: () => pool.destroy(),
  };
}

async function readAnswer({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<Answer> {
  const nowMs = serverClock(headers['date'], Date.now());
  if (statusCode !== 200) {
    // Left unread: what a server says beside an error must not cost the scrape its time.
    body.on('error', () => {}).destroy();
    throw new ApiError('status', `status ${statusCode}`, { status: statusCode });
  }
  return { body: parseJson(await body.text()), nowMs };
}

/** The Ollama host's clock where it is known to differ from ours, else ours; both Unix milliseconds. */
function serverClock(date: string | string[] | undefined, localMs: number): number {
  const serverMs = typeof date === 'string' ? Date.parse(date) : Number.NaN;
  return Math.abs(serverMs - localMs) > MAX_CLOCK_SKEW_MS ? serverMs : localMs;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError('invalid', `${text.length} characters that are not JSON`, { cause });
  }
}

function parseVersion(body: unknown): string {
  const version = isRecord(body) ? textOf(body['version']) : '';
  if (version === '') {
    throw new ApiError('invalid', 'the answer is not a JSON object with a "version"');
  }
  return version;
}

function asApiError(error: unknown, tried: string, signal: AbortSignal, answered: boolean): ApiError {
  const cause = signal.aborted ? signal.reason : error;
  const message = `${tried}: ${messageOf(cause)}`;
  if (cause instanceof ApiError) {
    return new ApiError(cause.reason, message, { cause, status: cause.status });
  }
  return new ApiError(signal.aborted ? 'timeout' : failureReason(cause, answered), message, { cause });
}
