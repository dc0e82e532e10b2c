/** Turns an Authorization header into the name and the password of Basic authentication. */

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

const BASIC = /^basic /i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** By the rules of Go's Request.BasicAuth; and text that isn't UTF-8 counts as none, since no hash could match it. */
export function parseCredentials(authorization: string | undefined): Credentials | undefined {
  const encoded = authorization?.replace(BASIC, '');
  if (encoded === undefined || encoded === authorization || !BASE64.test(encoded)) {
    return undefined;
  }
  const pair = utf8(Buffer.from(encoded, 'base64'));
  const colon = pair?.indexOf(':') ?? -1;
  return pair === undefined || colon < 0
    ? undefined
    : { user: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
