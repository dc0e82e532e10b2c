/** Turns the headers that a server was sent into a way to hide them in what it says. */

/** Shorter pieces of a value are words, and no secrets worth the name. */
const MIN_PIECE = 8;

/** What is shorter is no secret worth the name, and turns up everywhere. */
const MIN_LENGTH = 4;

/** Theirs is no secret, and the exporter's own documentation shows them. */
const OPEN_HEADERS: readonly string[] = ['host', 'accept'];

/**
 * @param headers by their lower-case names
 * @param known what the reader has typed, and so knows: hiding that would tell whether it is a guess that is right
 * @returns a function that replaces the values of headers by `<secret>`: whole, in pieces, or as they look in JSON, HTML
 *   or a URL; also at the end of a text that was cut off
 */
export function secretHider(
  headers: Readonly<Record<string, string>>,
  known: string,
): (text: string) => string {
  const secrets = Object.entries(headers).flatMap(([name, value]) =>
    OPEN_HEADERS.includes(name) ? [] : secretsIn(name, value),
  );
  const looks = [...new Set(secrets.flatMap(looksOf))]
    .filter((look) => look.length >= MIN_LENGTH && !known.includes(look))
    // One may be part of another.
    .sort((a, b) => b.length - a.length);
  const pattern = new RegExp(looks.map(escapeRegExp).join('|') || '$^', 'g');
  return (text) => looks.reduce(withoutBeginning, text.replaceAll(pattern, '<secret>'));
}

/** The value, and its pieces: of a cookie or of credentials a server may repeat only the part that counts. */
function secretsIn(name: string, value: string): readonly string[] {
  const whole = value.trim();
  const [, scheme = '', credentials = ''] = /^(\S+) +(.*)$/s.exec(whole) ?? [];
  if (name === 'authorization') {
    const pair = scheme === 'Basic' ? Buffer.from(credentials, 'base64').toString() : '';
    return [whole, credentials, pair, pair.replace(/^[^:]*:/, '')];
  }
  return [whole, ...whole.split(/[\s;,=]+/).filter((piece) => piece.length >= MIN_PIECE)];
}

function looksOf(secret: string): readonly string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  return [
    secret,
    json,
    json.replaceAll('/', '\\/'),
    // Go's encoding/json
    json.replaceAll(/[&<>]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`),
    secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64'),
    // Headers are sent as Latin-1.
    Buffer.from(secret, 'latin1').toString(),
  ];
}

/** Where the text ends with the beginning of a secret, it may have been cut off in its middle. */
function withoutBeginning(text: string, secret: string): string {
  for (let length = secret.length - 1; length >= MIN_LENGTH; length -= 1) {
    if (text.endsWith(secret.slice(0, length))) {
      return `${text.slice(0, -length)}<secret>`;
    }
  }
  return text;
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
