/** Why a request to Ollama failed: one of a closed set of reasons, so that it can be a label value. */
import { errors } from 'undici';

/** Every reason, with the usual remedy. */
export const REASONS = {
  refused:
    'Connection refused, or no route to the host: is Ollama running? In a container, 127.0.0.1 is the container: use the address of the host.',
  dns: "The name does not resolve: check its spelling, and the DNS of the exporter's machine.",
  timeout:
    'Connected, but no response. Ollama may still be starting, or wait for a runner that hangs. If it continues, save its log and restart it.',
  reset: 'The connection was closed without a response. If Ollama is behind TLS, write https://.',
  tls: 'The certificate is not trusted: set its CA as ca_file in the tls_config of the module.',
  status: 'Another program responds there, or a gateway in front of Ollama fails. See the HTTP status.',
  too_large: 'The response is not from Ollama.',
  invalid: 'The response is not from Ollama, or a proxy changes it.',
  config: "The exporter can't read a secret or certificate of the module.",
  resources:
    'The exporter has no file descriptors, ports or memory left: raise its limits (LimitNOFILE, ulimit -n).',
} as const;

export type FailureReason = keyof typeof REASONS;

/** Further reasons for missing runners, with the usual remedy. */
export const RUNNER_REASONS = {
  not_found: 'If the runner was killed, Ollama starts another one with the next request to the model.',
  unmapped: 'This ends when the model is loaded again.',
  hidden:
    'The exporter must see the processes of Ollama. With systemd, set ProtectProc=default and PrivateUsers=no; in a container, share the network and process namespaces of Ollama; do not mount /proc with hidepid.',
  ambiguous:
    "Run the exporter as Ollama's user, so that it can see which server listens on the port, or run a single server.",
  metrics_off:
    'To count tokens, set LLAMA_ARG_ENDPOINT_METRICS=1 in the environment of ollama serve, and restart it.',
} as const;

export type RunnerReason = keyof typeof RUNNER_REASONS;

const REMEDIES = { ...REASONS, ...RUNNER_REASONS };

export interface ApiErrorOptions extends ErrorOptions {
  /** The HTTP status, if the reason is `status`. */
  readonly status?: number | undefined;
  /** A specific remedy, if more is known than the reason. */
  readonly hint?: string | undefined;
}

/** A failed request to Ollama. The message describes the problem; `cause` is kept. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly reason: FailureReason | RunnerReason;
  readonly status: number | undefined;
  readonly hint: string | undefined;

  constructor(
    reason: FailureReason | RunnerReason,
    message: string,
    { status, hint, ...options }: ApiErrorOptions = {},
  ) {
    super(message, options);
    this.reason = reason;
    this.status = status;
    this.hint = hint;
  }

  /** The usual remedy. */
  get remedy(): string {
    return this.hint ?? REMEDIES[this.reason];
  }
}

/** Any error other than an ApiError is a bug, and `invalid`. */
export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError('invalid', String(error), { cause: error });
}

/** The address is not allowed, so no request was sent: this is not a failure of Ollama. */
export class ForbiddenAddressError extends Error {
  override readonly name = 'ForbiddenAddressError';
}

/** The meaning of error codes of the system, OpenSSL and undici, in any phase of the request. */
const REASON_BY_CODE: ReadonlyArray<readonly [RegExp, FailureReason]> = [
  [/^(ENOTFOUND|EAI_[A-Z]+)$/, 'dns'],
  [/^(ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/, 'timeout'],
  [/^(ECONNRESET|ECONNABORTED|EPIPE)$/, 'reset'],
  // EACCES and EPERM: a firewall on this machine.
  [/^(ECONNREFUSED|E(HOST|NET)(UNREACH|DOWN)|EACCES|EPERM)$/, 'refused'],
  [/^(EMFILE|ENFILE|ENOBUFS|ENOMEM|EADDRNOTAVAIL)$/, 'resources'],
  [/^(UND_ERR_RES_EXCEEDED_MAX_SIZE|UND_ERR_HEADERS_OVERFLOW|HPE_HEADER_OVERFLOW)$/, 'too_large'],
  // https://nodejs.org/api/tls.html#x509-certificate-error-codes, and codes of Node.js and OpenSSL
  [/^(ERR_TLS|ERR_SSL|ERR_OSSL|EPROTO|CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|DEPTH_ZERO_|SELF_SIGNED_)/, 'tls'],
  [/^(HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)$/, 'tls'],
];

/**
 * The reason of an error that undici or the network stack threw.
 *
 * @param error of undici, Node.js or the system
 * @param phase `head` until the headers of the response have arrived, then `body`. A connection that is closed cleanly
 * before them was dropped (`reset`), one closed during the body has cut it off (`invalid`).
 */
export function failureReason(error: unknown, phase: 'head' | 'body'): FailureReason {
  const code = errorCode(error);
  const known = REASON_BY_CODE.find(([codes]) => codes.test(code));
  if (known !== undefined) {
    return known[1];
  }
  // "bad response", "bad upgrade": undici closed the connection, because the data was not a response to this request.
  const dropped = error instanceof errors.SocketError && !error.message.startsWith('bad ');
  return phase === 'head' && dropped ? 'reset' : 'invalid';
}

/**
 * The error as it may be shown if credentials are sent: with its code instead of a message that may quote the response,
 * which may repeat them, or text of a client. Errors in the exporter's own files are unchanged.
 */
export function withoutTexts(error: Error): Error {
  if (!(error instanceof ApiError) || error.reason === 'config') {
    return error;
  }
  const { reason, status, hint, cause } = error;
  const known = status === undefined ? errorCode(cause) : `status ${status}`;
  const message = known || 'no details, since the module sends credentials, which a server may repeat';
  return new ApiError(reason, message, { status, hint, cause });
}

/** The `code` of an error; for an AggregateError that of the first part. */
export function errorCode(error: unknown): string {
  if (error instanceof AggregateError) {
    return errorCode(error.errors[0]);
  }
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
