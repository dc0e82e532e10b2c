/** Remedies for failures for which more is known than the reason, and their messages. */
import { errors } from 'undici';
import { messageOf } from '../log/error-text.ts';
import { errorCode, type FailureReason, REASONS } from './errors.ts';
import { impliedPort } from './host.ts';

export interface ErrorResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The start of the body. */
  readonly body: string;
  readonly url: URL;
}

/** nginx, Go, Apache: "The plain HTTP request was sent to HTTPS port", "Client sent an HTTP request to an HTTPS server." */
const PLAIN_TO_TLS = /HTTP request (was sent )?to (an )?HTTPS|plain HTTP to an SSL/i;

const CLIENT_CERTIFICATE =
  'The server requires a client certificate that it trusts: set cert_file and key_file in the tls_config of the module.';

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

const REMEDY_BY_STATUS: ReadonlyMap<number, string> = new Map([
  [
    401,
    'A gateway in front of Ollama requires credentials: set or correct authorization or basic_auth in the module.',
  ],
  [
    403,
    'A gateway in front of Ollama rejects the request: allow the exporter there. The request did not reach Ollama.',
  ],
  [
    404,
    'The path prefix is missing in the address, or this is an Ollama before 0.1.38, which has no /api/ps.',
  ],
  [
    407,
    'A proxy in front of Ollama requires credentials: set Proxy-Authorization in the headers of the module, or bypass the proxy.',
  ],
  [429, 'A gateway in front of Ollama limits requests: exempt the exporter, or scrape less often.'],
  [502, 'A gateway gets no response from Ollama: is Ollama running at the address that the gateway uses?'],
  [
    503,
    'A gateway has no Ollama to send requests to: is Ollama running at the address that the gateway uses?',
  ],
  [504, "A gateway timed out waiting for Ollama, which may be starting or hang: see Ollama's log."],
]);

/** @returns undefined if the reason's own remedy is the best */
export function remedyForStatus({ status, headers, body, url }: ErrorResponse): string | undefined {
  if (REDIRECTS.has(status)) {
    return redirectRemedy(url, location(headers, url));
  }
  if (status === 400 && PLAIN_TO_TLS.test(body)) {
    return 'The port requires TLS: write https://.';
  }
  if (status === 400 && /SSL certificate/i.test(body)) {
    return CLIENT_CERTIFICATE;
  }
  if (status === 403 && body === '' && headers['content-type'] === undefined) {
    // routes.go:1776-1839: AbortWithStatus(403), without a body.
    return 'Ollama rejects this Host header: it listens on loopback only, and then accepts only local names and private addresses. Start it with OLLAMA_HOST=0.0.0.0, or let the proxy in front of it send "Host: localhost:11434".';
  }
  const port = status === 404 ? impliedPort(url) : undefined;
  return port === undefined
    ? REMEDY_BY_STATUS.get(status)
    : `This is ${port}. ${REMEDY_BY_STATUS.get(status)}`;
}

/** `status 308, to https://ollama.example.org`: a path or query could contain a secret. */
export function statusMessage({ status, headers, url }: ErrorResponse): string {
  const target = REDIRECTS.has(status) ? location(headers, url) : undefined;
  return target === undefined ? `status ${status}` : `status ${status}, redirect to ${target.origin}`;
}

/** `URL` takes quadratic time to convert a long name to punycode, and headers can't contain unescaped ones anyway. */
const LOCATION = /^[\x21-\x7e]{1,4096}$/;

function location(headers: ErrorResponse['headers'], url: URL): URL | undefined {
  const [text = ''] = [headers['location'] ?? []].flat();
  const target = LOCATION.test(text) && URL.canParse(text, url.href) ? new URL(text, url) : undefined;
  return target?.protocol === 'http:' || target?.protocol === 'https:' ? target : undefined;
}

function redirectRemedy(url: URL, target: URL | undefined): string {
  if (target === undefined) {
    return 'A gateway in front of Ollama redirects: set the address and path prefix under which it serves /api/ps, or the credentials that it requires.';
  }
  if (target.origin === url.origin) {
    return 'A gateway in front of Ollama redirects to itself: set the path prefix under which it serves /api/ps.';
  }
  const address = `Scrape ${target.origin} instead`;
  return target.hostname === url.hostname
    ? `${address}.`
    : `${address}, if Ollama is there. If it is a login page, allow the exporter at the gateway, or set credentials in the module.`;
}

/** OpenSSL's errors for data that is not TLS, such as HTTP or SSH, in its different versions. */
const NO_TLS =
  /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNEXPECTED_MESSAGE|BAD_RECORD_TYPE)$/;

const REMEDY_BY_CODE: ReadonlyArray<readonly [RegExp, string]> = [
  [NO_TLS, 'The port does not use TLS: write http://.'],
  [
    /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/,
    "Renew the server's certificate, or correct the clock of the exporter's machine.",
  ],
  [
    /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/,
    'The certificate is for another name: scrape that name, or set it as server_name in the tls_config of the module.',
  ],
  [
    /^ERR_SSL_.*_ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)$/,
    CLIENT_CERTIFICATE,
  ],
  [
    /^ERR_SSL_.*(PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL)$/,
    'The server does not support TLS 1.2 or 1.3: update it.',
  ],
];

/** @returns undefined if the reason's own remedy is the best */
export function remedyForError(error: unknown, reason: FailureReason, url: URL): string | undefined {
  const code = errorCode(error);
  const byCode = REMEDY_BY_CODE.find(([codes]) => codes.test(code));
  if (byCode !== undefined) {
    return byCode[1];
  }
  const port = impliedPort(url);
  if (port !== undefined && (reason === 'refused' || reason === 'timeout')) {
    return `This is ${port}. ${REASONS[reason]}`;
  }
  return reason === 'reset' && url.protocol === 'https:'
    ? 'The connection was closed without a response. If the port does not use TLS, write http://. If it requires a client certificate, set cert_file and key_file in the tls_config of the module.'
    : undefined;
}

/** A clear message for errors whose own message is not. */
export function failureMessage(error: unknown, reason: FailureReason, phase: 'head' | 'body'): string {
  if (phase === 'head' && error instanceof errors.ResponseContentLengthMismatchError) {
    // undici gives every error in the headers this name, once Content-Length was read.
    return 'the head of the response does not match the HTTP/1.1 protocol';
  }
  // OpenSSL's messages contain names and lines of its source files; its `reason` is the readable part.
  const tlsReason =
    error instanceof Error && 'reason' in error && typeof error.reason === 'string' ? error.reason : '';
  return reason === 'tls' && tlsReason !== '' ? `the TLS handshake failed: ${tlsReason}` : messageOf(error);
}
