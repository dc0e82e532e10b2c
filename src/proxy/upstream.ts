/** The connections of the proxy to Ollama. */
import { Client, type Dispatcher, Pool } from 'undici';
import { connector, type TlsOptions } from '../ollama/agent.ts';

/** The only timeout: the client decides how long to wait for a model that loads or thinks. */
const CONNECT_TIMEOUT_MS = 10_000;

/** A header takes up to 100 times its length in memory. Ollama's are less than 1 KB. */
const MAX_RESPONSE_HEADER_BYTES = 64 * 1024;

export type UpstreamRequest = Omit<Dispatcher.DispatchOptions, 'origin'>;

export interface Upstream {
  readonly dispatch: (request: UpstreamRequest, handler: Dispatcher.DispatchHandler) => void;
  /** Whether the connection of this request had carried another one before. */
  readonly wasOnKeptConnection: (request: UpstreamRequest) => boolean;
  /** Closes all connections. */
  readonly close: () => Promise<void>;
}

/** @param tls called for each new https connection */
export function createUpstream(
  url: URL,
  tls: () => Promise<TlsOptions>,
  connectTimeoutMs = CONNECT_TIMEOUT_MS,
): Upstream {
  const onKept = new WeakSet<object>();
  const pool = new Pool(url.origin, {
    connect: connector({ timeoutMs: connectTimeoutMs, tls, lookup: undefined, onConnect: () => {} }),
    connections: null,
    pipelining: 1,
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    factory: (origin, options) => new KeptClient(origin, options, onKept),
  });
  return {
    dispatch: (request, handler) => void pool.dispatch(request, handler),
    wasOnKeptConnection: (request) => onKept.has(request),
    close: () => pool.destroy(),
  };
}

/** Records whether its connection has carried a request before. */
class KeptClient extends Client {
  readonly #onKept: WeakSet<object>;
  #isUsed = false;

  constructor(origin: URL, options: object, onKept: WeakSet<object>) {
    super(origin, options);
    this.#onKept = onKept;
    this.on('disconnect', () => {
      this.#isUsed = false;
    });
  }

  override dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (this.#isUsed) {
      this.#onKept.add(request);
    }
    this.#isUsed = true;
    // Otherwise undici would open a new https connection for each Host header.
    return super.dispatch(Object.assign(request, { servername: 'upstream' }), handler);
  }
}
