/** Removes the hop-by-hop headers of a message (RFC 9110, 7.6.1). */

/** Names and values alternating, as received. */
export type RawHeaders = readonly string[];

/** In memory, each takes up to 100 times its length. */
export const MAX_HEADERS = 10_000;

const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'];

const OF_RESPONSES: ReadonlySet<string> = new Set(HOP_BY_HOP);

/** The proxy has already responded to `Expect`. undici sends no trailers. */
const OF_REQUESTS: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'expect', 'trailer']);

export interface RequestHead {
  readonly headers: string[];
  /** Whether a body follows, of any length. */
  readonly hasBody: boolean;
}

/** @param dropped further names, in lower case */
export function requestHead(raw: RawHeaders, dropped: ReadonlySet<string>): RequestHead {
  let hasBody = false;
  const headers = passedOn(raw, (name, value) => {
    hasBody ||= name === 'transfer-encoding' || (name === 'content-length' && Number(value) > 0);
    return !OF_REQUESTS.has(name) && !dropped.has(name);
  });
  return { headers, hasBody };
}

export interface ResponseHead {
  readonly headers: string[];
  /** '' if there is none. */
  readonly contentType: string;
  readonly isEncoded: boolean;
  readonly hasLength: boolean;
}

/** @param raw as received by undici, one character per byte */
export function responseHead(raw: RawHeaders): ResponseHead {
  let contentType = '';
  let isEncoded = false;
  let hasLength = false;
  const headers = passedOn(raw, (name, value) => {
    contentType = name === 'content-type' ? value : contentType;
    isEncoded ||= name === 'content-encoding' && value !== 'identity';
    hasLength ||= name === 'content-length';
    return !OF_RESPONSES.has(name);
  });
  return { headers, contentType, isEncoded, hasLength };
}

/** @param passes called with each header that Connection does not list; its name is in lower case */
function passedOn(raw: RawHeaders, passes: (name: string, value: string) => boolean): string[] {
  const headers: string[] = [];
  const named = namedByConnection(raw);
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const value = raw[index + 1] ?? '';
    const lower = name.toLowerCase();
    if (!named.has(lower) && passes(lower, value)) {
      headers.push(name, value);
    }
  }
  return headers;
}

/** @param name in lower case */
export function withoutHeader(headers: RawHeaders, name: string): string[] {
  return headers.filter((_, index) => headers[index - (index % 2)]?.toLowerCase() !== name);
}

const NONE: ReadonlySet<string> = new Set();

/** Headers that address and frame the message are kept, even if Connection lists them. */
const NEVER_NAMED = /^(host|content-length|transfer-encoding)$/;

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
