/** Turns what Node.js writes of a certificate's subject alternative names into the names. */

/** Where a name has a character that could be taken for another name, it's a string of JSON (CVE-2021-44532). */
const NAME = /([^:",]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

/** The kinds that Go knows; the others (`DirName`, `othername`, …) have no text of their own. */
const KINDS: ReadonlySet<string> = new Set(['DNS', 'email', 'IP Address', 'URI']);

/**
 * @param text as in `X509Certificate.subjectAltName`
 * @returns no name at all where any part of it isn't understood
 */
export function subjectAltNames(text: string): readonly string[] {
  const names: string[] = [];
  const pattern = new RegExp(NAME);
  while (pattern.lastIndex < text.length) {
    const [, kind = '', written = ''] = pattern.exec(text) ?? [];
    const name = unquoted(written);
    if (kind === '' || name === undefined) {
      return [];
    }
    if (KINDS.has(kind)) {
      names.push(name);
    }
  }
  return names;
}

function unquoted(written: string): string | undefined {
  if (!written.startsWith('"')) {
    return written;
  }
  try {
    return String(JSON.parse(written));
  } catch {
    return undefined;
  }
}
