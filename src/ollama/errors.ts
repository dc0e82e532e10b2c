/** Why a call to Ollama failed: one of a closed set, so that it can be a label value. */
import { errors } from 'undici';

export type FailureReason =
  | 'refused'
  | 'dns'
  | 'timeout'
  | 'reset'
  | 'tls'
  | 'status'
  | 'too_large'
  | 'invalid'
  | 'config';

/** A call to Ollama that failed. The message says what was asked and what went wrong; `cause` is kept. */
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
}

/** The address must not be asked, so nothing was: no failure of Ollama's. */
export class ForbiddenAddressError extends Error {
  override readonly name = 'ForbiddenAddressError';
}

/** What the error codes of the system, of OpenSSL and of undici mean, whenever in the call they come up. */
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
 * @param answered whether the response's headers had arrived. A connection that ends cleanly after them has cut
 *   the body off (`invalid`), one that ends before them was dropped (`reset`); any other error before them means
 *   that no connection could be made (`refused`), for want of a listener, a route or a file descriptor.
 */
export function failureReason(error: unknown, answered: boolean): FailureReason {
  const code = errorCode(error);
  const known = REASON_BY_CODE.find(([codes]) => codes.test(code));
  if (known !== undefined) {
    return known[1];
  }
  if (answered || error instanceof errors.HTTPParserError) {
    return 'invalid';
  }
  return error instanceof errors.SocketError ? 'reset' : 'refused';
}

/** The `code` of an error; Node puts that of the first attempt on the AggregateError of a dual-stack connect. */
function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
