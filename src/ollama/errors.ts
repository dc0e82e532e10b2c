/** Why a request to Ollama failed: one of a closed set of reasons, so that it can be a label value. */
import { errors } from 'undici';

/** Every reason, with what usually helps. */
export const REASONS = {
  refused:
    'Nobody listens there: is Ollama running? In a container, 127.0.0.1 is the container: use the address of the host.',
  dns: 'The name does not resolve: is it the right one?',
  timeout:
    'It listens, and does not answer. It may be at its start, or loading a model; if it lasts, see its log and start it again.',
  reset: 'The connection was ended without an answer. If Ollama is behind TLS, write https://.',
  tls: 'The certificate is not trusted: name its authority in the tls_config of the module, or correct the name.',
  status: 'Something else answers there, or a proxy before it fails. See the number of the status.',
  too_large: 'What answers there is not Ollama.',
  invalid: 'What answers there is not Ollama, or something before it changes the answer.',
  config: 'A secret or certificate of the module can not be read by the exporter.',
} as const;

export type FailureReason = keyof typeof REASONS;

/** What Ollama answers where the Host header names it in a way that it does not accept (routes.go:1776-1839). */
const FORBIDDEN = 403;

const STATUS_REMEDIES: ReadonlyMap<number | undefined, string> = new Map([
  [
    FORBIDDEN,
    'Ollama refuses this Host header: it listens on loopback only, and then takes local names and private addresses only. Start it with OLLAMA_HOST=0.0.0.0, or let the proxy in front of it send "Host: localhost:11434".',
  ],
  [404, 'An Ollama before 0.1.38 has no list of loaded models; or the path prefix is missing.'],
]);

/** A request to Ollama that failed. The message says what went wrong; `cause` is kept. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly reason: FailureReason;
  /** The HTTP status, where `reason` is `status`. */
  readonly status: number | undefined;

  constructor(
    reason: FailureReason,
    message: string,
    options: ErrorOptions & { readonly status?: number | undefined } = {},
  ) {
    super(message, options);
    this.reason = reason;
    this.status = options.status;
  }

  /** What usually helps. */
  get remedy(): string {
    return STATUS_REMEDIES.get(this.status) ?? REASONS[this.reason];
  }

  /** Whether Ollama refuses the Host header, which an operator can't guess from the status alone. */
  get isForbidden(): boolean {
    return this.status === FORBIDDEN;
  }
}

/** The address is not allowed, so no request was sent: no failure of Ollama's. */
export class ForbiddenAddressError extends Error {
  override readonly name = 'ForbiddenAddressError';
}

/** What the error codes of the system, of OpenSSL and of undici mean, at whatever point of the request they come. */
const REASON_BY_CODE: ReadonlyArray<readonly [RegExp, FailureReason]> = [
  [/^(ENOTFOUND|EAI_[A-Z]+)$/, 'dns'],
  [/^(ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/, 'timeout'],
  [/^(ECONNRESET|ECONNABORTED|EPIPE)$/, 'reset'],
  [/^(UND_ERR_RES_EXCEEDED_MAX_SIZE|UND_ERR_HEADERS_OVERFLOW|HPE_HEADER_OVERFLOW)$/, 'too_large'],
  // https://nodejs.org/api/tls.html#x509-certificate-error-codes, and Node's and OpenSSL's own
  [/^(ERR_TLS|ERR_SSL|ERR_OSSL|EPROTO|CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|DEPTH_ZERO_|SELF_SIGNED_)/, 'tls'],
  [/^(HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)$/, 'tls'],
];

/**
 * The reason behind an error that undici or the network stack threw.
 *
 * @param error of undici, Node.js or the system
 * @param phase `connect` until the response's headers have arrived, then `body`. A connection that ends cleanly in
 *   the body has cut it off (`invalid`), one that ends before the headers was dropped (`reset`); any other error before
 *   them means that no connection could be made (`refused`): no listener, no route, or no file descriptor.
 */
export function failureReason(error: unknown, phase: 'connect' | 'body'): FailureReason {
  const code = errorCode(error);
  const known = REASON_BY_CODE.find(([codes]) => codes.test(code));
  if (known !== undefined) {
    return known[1];
  }
  if (phase === 'body' || error instanceof errors.HTTPParserError) {
    return 'invalid';
  }
  return error instanceof errors.SocketError ? 'reset' : 'refused';
}

/** The `code` of an error; Node puts that of the first attempt on the AggregateError of a dual-stack connect. */
function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
