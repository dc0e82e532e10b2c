/** The requests to one Ollama server. The only file with Ollama's paths. */
import { messageOf } from '../log/error-text.ts';
import { INVISIBLE } from '../log/invisible.ts';
import type { Agents } from './agent.ts';
import { parseJson, readBeginning, readText } from './body.ts';
import { ApiError, ForbiddenAddressError, failureReason, withoutTexts } from './errors.ts';
import { isRecord, textOf } from './json.ts';
import {
  type InstalledModels,
  parseInstalledModels,
  parseRunningModels,
  type RunningModels,
} from './models.ts';
import { failureMessage, remedyForError, remedyForStatus, statusMessage } from './remedies.ts';
import { serverClock } from './time.ts';

/** Limits of size and time for the body of an error response, which must not use up the time of the scrape. */
const ERROR_BODY_BYTES = 4_096;
const ERROR_BODY_MS = 100;

/** Without spaces: the value of Authorization contains one, and the server may repeat it. */
const VERSION = new RegExp(`^[^\\s${INVISIBLE}]{1,256}$`, 'u');

/** A request, and the part of its response that has arrived. */
export interface Exchange {
  readonly signal: AbortSignal;
  status?: number;
  /** For status 200 the whole body, otherwise its start. */
  body?: string;
}

/** Each request throws ApiError, or a ForbiddenAddressError from the agent's lookup. */
export interface OllamaClient {
  readonly ps: (exchange: Exchange) => Promise<RunningModels>;
  readonly version: (exchange: Exchange) => Promise<string>;
  /** Not for every scrape: for each request, Ollama reads and hashes every manifest on disk. */
  readonly tags: (exchange: Exchange) => Promise<InstalledModels>;
  /**
   * The digest of the blob with the weights of a model, 64 hexadecimal digits; undefined for a model without one, such
   * as MLX's. Loads nothing, and changes no expiry.
   */
  readonly weights: (model: string, exchange: Exchange) => Promise<string | undefined>;
}

export interface ClientOptions {
  /** Scheme, host, port and the path prefix for `/api/…`. */
  readonly url: URL;
  readonly agents: Agents;
  /** Gateways reject requests without one. */
  readonly userAgent: string;
  /** Sent with each request, by lower-case names; called each time, since secrets rotate. */
  readonly headers?: (() => Promise<Readonly<Record<string, string>>>) | undefined;
  /** Whether these may contain a secret: a server may repeat it, so errors then contain no text of the response. */
  readonly sendsSecrets?: boolean;
}

export function createOllamaClient(options: ClientOptions): OllamaClient {
  return {
    ps: async (exchange) => {
      const { text, nowMs } = await getOrRetry('ps', options, exchange);
      return { ...parseRunningModels(parseJson(text)), nowMs };
    },
    version: async (exchange) =>
      parseVersion(parseJson((await getOrRetry('version', options, exchange)).text)),
    tags: async (exchange) =>
      parseInstalledModels(parseJson((await getOrRetry('tags', options, exchange)).text)),
    weights: async (model, exchange) =>
      parseWeights(parseJson((await getOrRetry('show', options, exchange, { model })).text)),
  };
}

interface Response {
  readonly text: string;
  /** Unix milliseconds by the clock of the server at the time of its response. */
  readonly nowMs: number;
}

/** @param body for a query that has one */
async function getOrRetry(
  api: keyof Agents,
  options: ClientOptions,
  exchange: Exchange,
  body?: object,
): Promise<Response> {
  try {
    return await get(api, options, exchange, body);
  } catch (error) {
    // If a server disappears without a FIN, the next request on a kept-alive connection is reset.
    if (error instanceof ApiError && error.reason === 'reset' && !exchange.signal.aborted) {
      return await get(api, options, exchange, body);
    }
    throw error;
  }
}

async function get(
  api: keyof Agents,
  options: ClientOptions,
  exchange: Exchange,
  body: object | undefined,
): Promise<Response> {
  delete exchange.status;
  try {
    const { url, agents, userAgent, headers, sendsSecrets } = options;
    const response = await agents[api].request({
      origin: url.origin,
      path: `${url.pathname.replace(/\/$/, '')}/api/${api}`,
      method: body === undefined ? 'GET' : 'POST',
      body: body === undefined ? null : JSON.stringify(body),
      headers: {
        accept: 'application/json',
        'accept-encoding': 'identity',
        'user-agent': userAgent,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(await headers?.()),
      },
      signal: exchange.signal,
    });
    const { statusCode: status } = response;
    exchange.status = status;
    if (status !== 200) {
      exchange.body = await readBeginning(response.body, ERROR_BODY_BYTES, ERROR_BODY_MS);
      const shownHeaders = sendsSecrets ? { ...response.headers, location: undefined } : response.headers;
      const failure = { status, headers: shownHeaders, body: exchange.body, url };
      throw new ApiError('status', statusMessage(failure), { status, hint: remedyForStatus(failure) });
    }
    const nowMs = serverClock(response.headers['date'], Date.now());
    const text = await readText(response);
    exchange.body = text;
    return { text, nowMs };
  } catch (error) {
    const failure = asApiError(error, exchange, options.url);
    // The reason of the signal is the exporter's own text.
    throw options.sendsSecrets && !exchange.signal.aborted ? withoutTexts(failure) : failure;
  }
}

function asApiError(error: unknown, { signal, status }: Exchange, url: URL): Error {
  if (error instanceof ApiError || error instanceof ForbiddenAddressError) {
    return error;
  }
  if (signal.aborted) {
    return new ApiError('timeout', messageOf(signal.reason), { cause: signal.reason });
  }
  const phase = status === undefined ? 'head' : 'body';
  const reason = failureReason(error, phase);
  return new ApiError(reason, failureMessage(error, reason, phase), {
    cause: error,
    hint: remedyForError(error, reason, url),
  });
}

function parseVersion(body: unknown): string {
  const version = isRecord(body) ? textOf(body['version'], VERSION) : '';
  if (version === '') {
    throw new ApiError('invalid', 'the response is not a JSON object with a valid "version"');
  }
  return version;
}

/** The first FROM is the weights; later ones are projectors, followed by text of the user. */
const WEIGHTS = /^FROM .*[/\\]blobs[/\\]sha256-([0-9a-f]{64})$/;

function parseWeights(body: unknown): string | undefined {
  const modelfile = isRecord(body) ? body['modelfile'] : undefined;
  if (typeof modelfile !== 'string') {
    throw new ApiError('invalid', 'the response is not a JSON object with a "modelfile"');
  }
  const first = modelfile.split('\n').find((line) => line.startsWith('FROM '));
  return WEIGHTS.exec(first ?? '')?.[1];
}
