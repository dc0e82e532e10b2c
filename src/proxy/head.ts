/** The headers of one message → those that go on: all but the ones that speak of the connection (RFC 9110, 7.6.1). */

/** Names and values in turn, as they came. */
export type RawHeaders = readonly string[];

const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'];

const OF_RESPONSES: ReadonlySet<string> = new Set(HOP_BY_HOP);

/** `Expect` is for this hop, which has answered it. undici sends no trailers. */
const OF_REQUESTS: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'expect', 'trailer']);

export interface RequestHead {
  readonly headers: string[];
  /** Whether a body follows, of whatever length. */
  readonly hasBody: boolean;
}

/** @param dropped names in lower case that do not go on either */
export function requestHead(raw: RawHeaders, dropped: ReadonlySet<string>): RequestHead {
  const headers: string[] = [];
  let hasBody = false;
  const named = namedByConnection(raw);
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const value = raw[index + 1] ?? '';
    const lower = name.toLowerCase();
    hasBody ||= lower === 'transfer-encoding' || (lower === 'content-length' && Number(value) > 0);
    if (!OF_REQUESTS.has(lower) && !dropped.has(lower) && !named.has(lower)) {
      headers.push(name, value);
    }
  }
  return { headers, hasBody };
}

export interface ResponseHead {
  readonly headers: string[];
  /** '' where there is none. */
  readonly contentType: string;
  readonly isEncoded: boolean;
  readonly hasLength: boolean;
}

/** @param raw as undici has received it, each byte a character */
export function responseHead(raw: RawHeaders): ResponseHead {
  const headers: string[] = [];
  let contentType = '';
  let isEncoded = false;
  let hasLength = false;
  const named = namedByConnection(raw);
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const value = raw[index + 1] ?? '';
    const lower = name.toLowerCase();
    if (!OF_RESPONSES.has(lower) && !named.has(lower)) {
      headers.push(name, value);
      contentType = lower === 'content-type' ? value : contentType;
      isEncoded ||= lower === 'content-encoding' && value !== 'identity';
      hasLength ||= lower === 'content-length';
    }
  }
  return { headers, contentType, isEncoded, hasLength };
}

const NONE: ReadonlySet<string> = new Set();

/** What addresses and frames the message stays, whatever a client names there. */
const NEVER_NAMED = /^(host|content-length)$/;

function namedByConnection(raw: RawHeaders): ReadonlySet<string> {
  let named: Set<string> | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    if (raw[index]?.length === 'connection'.length && raw[index]?.toLowerCase() === 'connection') {
      named ??= new Set();
      for (const option of raw[index + 1]?.toLowerCase().split(',') ?? []) {
        named.add(option.trim());
      }
    }
  }
  return named === undefined ? NONE : new Set([...named].filter((name) => !NEVER_NAMED.test(name)));
}
