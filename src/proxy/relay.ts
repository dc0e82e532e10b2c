/** A request of a client → the same request to Ollama. */
import { type IncomingMessage, type RequestListener, type ServerResponse, STATUS_CODES } from 'node:http';
import { PassThrough } from 'node:stream';
import type { Logger } from 'pino';
import { errorCode, failureReason } from '../ollama/errors.ts';
import { measuredApi, pathOf } from './apis.ts';
import { errorBody } from './errors.ts';
import { Exchange, type Watcher } from './exchange.ts';
import { MAX_HEADERS, type ResponseHead, requestHead, withoutHeader } from './head.ts';
import { isEventStream } from './reader.ts';
import { isShort, readUpTo } from './request-body.ts';
import type { Upstream, UpstreamRequest } from './upstream.ts';
import { createUsageFilter } from './usage-filter.ts';
import { mayRequestUsage, withUsage } from './usage-request.ts';

export interface RelayDependencies {
  readonly upstream: Upstream;
  /** Path prefix, without a trailing slash. */
  readonly prefix: string;
  /** Whether `Authorization` is for the proxy, not for Ollama. */
  readonly requiresPassword: () => boolean;
  /** Whether to request usage in OpenAI streams whose clients did not request it. */
  readonly includeUsage: boolean;
  /** Starts measuring a request; the API is undefined for one that is not measured. */
  readonly watch: (api: ReturnType<typeof measuredApi>) => Watcher;
  /** Whether connections are closed after their responses. */
  readonly isStopping: () => boolean;
  readonly log: Logger;
}

export function createRelay(dependencies: RelayDependencies): RequestListener {
  return (request, response) => {
    // Its password has been checked now. Passwords may be disabled while it waits.
    const dropped = dependencies.requiresPassword() ? 'withPassword' : 'else';
    // Ollama responds to the requests of one connection in order, so a later one waits for its turn.
    if (response.socket === null) {
      response.once('socket', () => relay(request, response, dropped, dependencies));
    } else {
      relay(request, response, dropped, dependencies);
    }
  };
}

type Dropped = Readonly<Record<'withPassword' | 'else', ReadonlySet<string>>>;

const DROPPED: Dropped = { withPassword: new Set(['authorization']), else: new Set() };
/** A compressed response, as of a cloud model, could not be measured. */
const DROPPED_IF_MEASURED: Dropped = {
  withPassword: new Set(['authorization', 'accept-encoding']),
  else: new Set(['accept-encoding']),
};

function relay(
  request: IncomingMessage,
  response: ServerResponse,
  dropped: keyof Dropped,
  dependencies: RelayDependencies,
): void {
  const { upstream, prefix, includeUsage, watch, isStopping, log } = dependencies;
  const { url = '', method = '' } = request;
  const path = pathOf(url);
  const api = measuredApi(method, path);
  const watcher = watch(api);
  if (isStopping()) {
    response.shouldKeepAlive = false;
  }
  const refuse = (status: number, message: string) => {
    watcher.onHead(status, { contentType: '', isEncoded: true });
    respond(response, path, status, message);
    watcher.onEnd('complete');
  };
  const refusal = refusalOf(request);
  if (refusal !== undefined) {
    refuse(...refusal);
    return;
  }
  const { headers, hasBody } = requestHead(
    request.rawHeaders,
    (api ? DROPPED_IF_MEASURED : DROPPED)[dropped],
  );
  const outgoing: UpstreamRequest = {
    path: `${prefix}${url}`,
    method,
    headers,
    body: null,
  };
  const requestsUsage = includeUsage && hasBody && api !== undefined && mayRequestUsage(path, request);
  let addedUsage = false;
  let mayRepeat = !hasBody && (method === 'GET' || method === 'HEAD');
  const exchange = new Exchange({
    response,
    watcher,
    filterFor: (status, head) =>
      addedUsage && isPlainStream(status, head) ? createUsageFilter() : undefined,
    onUnreachable: (error) => {
      if (isRefusal(error)) {
        watcher.onHead(400, { contentType: '', isEncoded: true });
        respond(response, path, 400, 'the request cannot be passed on: its head is not valid HTTP/1.1');
        return;
      }
      const reason = failureReason(error, 'head');
      log.debug({ path, reason, err: error }, 'Could not pass a request on');
      respond(response, path, 502, `the proxy gets no response from Ollama: ${reason}`);
    },
    sendAgain: (error) => {
      const repeats = mayRepeat && isLost(error) && upstream.wasOnKeptConnection(outgoing);
      mayRepeat = false;
      if (repeats) {
        upstream.dispatch(outgoing, exchange);
      }
      return repeats;
    },
  });
  const send = (body: UpstreamRequest['body'], added = false) => {
    if (!response.destroyed) {
      addedUsage = added;
      outgoing.body = body ?? null;
      // Its length has changed.
      outgoing.headers = added ? withoutHeader(headers, 'content-length') : headers;
      upstream.dispatch(outgoing, exchange);
    }
  };
  if (!hasBody) {
    send(null);
  } else if (requestsUsage) {
    void withUsage(request).then(({ body, added }) => send(body, added));
  } else if (isShort(request)) {
    void readUpTo(request, Number.POSITIVE_INFINITY).then(({ bytes }) => send(bytes));
  } else {
    // Not the request itself: undici destroys a body that was not sent completely, and with it the connection.
    send(request.pipe(new PassThrough()));
  }
}

/** @returns status and message for a request that cannot be forwarded unchanged */
function refusalOf({ url, rawHeaders, headers }: IncomingMessage): [number, string] | undefined {
  // Newer versions of Node.js than 20.18 reject other characters themselves.
  if (!/^\/[!-~]*$/.test(url ?? '')) {
    return [400, 'the request target must be a path of ASCII characters that begins with /'];
  }
  if (rawHeaders.length > 2 * MAX_HEADERS) {
    return [431, `the request has more than ${MAX_HEADERS} headers`];
  }
  // As Ollama does: the body would still be encoded, but its coding is not forwarded.
  return /^chunked$/i.test(headers['transfer-encoding'] ?? 'chunked')
    ? undefined
    : [501, 'the request has a transfer coding other than chunked'];
}

function isPlainStream(status: number, { contentType, isEncoded, hasLength }: ResponseHead): boolean {
  return status === 200 && isEventStream(contentType) && !isEncoded && !hasLength;
}

/** undici has sent nothing. */
function isRefusal(error: Error): boolean {
  return /^UND_ERR_(INVALID_ARG|NOT_SUPPORTED)$/.test(errorCode(error));
}

function isLost(error: Error): boolean {
  return /^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/.test(errorCode(error));
}

function respond(response: ServerResponse, path: string, status: number, message: string): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const body = errorBody(path, status, message);
  response.sendDate = true;
  response
    .writeHead(status, STATUS_CODES[status], {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': body.length,
    })
    .end(body);
}
