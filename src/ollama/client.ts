/** Asks an Ollama server over HTTP. The only file that knows Ollama's paths. */
import { type Dispatcher, Pool } from 'undici';
import { ApiError, failureReason, messageOf } from './api-error.ts';
import { type InstalledModels, parseInstalledModels } from './installed-models.ts';
import { isRecord, textOf } from './json.ts';
import { parseRunningModels, type RunningModels } from './running-models.ts';
import { serverClock } from './server-clock.ts';

/** Two hundred models make 76 KB; who sends more than this is not Ollama. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

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

  const get = (api: string, signal: AbortSignal) => getJson(pool, `${prefix}/api/${api}`, signal);

  return {
    runningModels: async (signal) => {
      const { body, nowMs } = await get('ps', signal);
      return parseRunningModels(body, nowMs);
    },
    version: async (signal) => parseVersion((await get('version', signal)).body),
    installedModels: async (signal) => parseInstalledModels((await get('tags', signal)).body),
    close: () => pool.destroy(),
  };
}

async function getJson(pool: Pool, path: string, signal: AbortSignal): Promise<Answer> {
  let answered = false;
  const exchange = async (): Promise<Answer> => {
    const response = await pool.request({
      method: 'GET',
      path,
      signal,
      headers: { accept: 'application/json' },
    });
    answered = true;
    const nowMs = serverClock(response.headers['date'], Date.now());
    return { body: parseJson(await readText(response)), nowMs };
  };
  try {
    // undici heeds the signal only from the connection on: an attempt to connect can outlast it by far.
    return await Promise.race([exchange(), rejectOnAbort(signal)]);
  } catch (error) {
    throw asApiError(error, signal, answered);
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
    }
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function readText({ statusCode, body }: Dispatcher.ResponseData): Promise<string> {
  if (statusCode !== 200) {
    // Left unread: what a server says beside an error must not cost the scrape its time.
    body.on('error', () => {}).destroy();
    throw new ApiError('status', `status ${statusCode}`, { status: statusCode });
  }
  return body.text();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError('invalid', `the answer (${text.length} characters) is not JSON`, { cause });
  }
}

function parseVersion(body: unknown): string {
  const version = isRecord(body) ? textOf(body['version']) : '';
  if (version === '') {
    throw new ApiError('invalid', 'the answer is not a JSON object with a "version"');
  }
  return version;
}

function asApiError(error: unknown, signal: AbortSignal, answered: boolean): ApiError {
  const cause = signal.aborted ? signal.reason : error;
  if (cause instanceof ApiError) {
    return cause;
  }
  const reason = signal.aborted ? 'timeout' : failureReason(cause, answered);
  return new ApiError(reason, messageOf(cause), { cause });
}
