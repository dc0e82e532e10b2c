/** Prometheus's text format 0.0.4, byte by byte as prom-client would write it. */

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
}

/** An empty line, as prom-client has it. */
const BETWEEN_FAMILIES = '\n';

/** @param labels as the text format writes them, braces included; '' for none */
export type Emit = (labels: string, value: number) => void;

/**
 * @param collect hands over the samples, in their order
 * @returns lines; '' where there are no samples
 */
export type WriteFamily = (collect: (emit: Emit) => void) => string;

export function familyWriter({ name, help, type }: Family): WriteFamily {
  // Joined, as that makes one piece where a template makes a tree of its parts.
  const head = ['# HELP ', name, ' ', help, '\n# TYPE ', name, ' ', type, '\n'].join('');
  return (collect) => {
    let samples = '';
    collect((labels, value) => {
      samples += `${name}${labels} ${value === Number.POSITIVE_INFINITY ? '+Inf' : value}\n`;
    });
    return samples === '' ? '' : head + samples;
  };
}

/** UTF-8 where it is large: Node.js sends small strings faster than bytes, and large ones slower. */
export type Text = string | Buffer;

/** Bytes, or characters of a text that has not been encoded yet. */
export const LARGE = 32_768;

/** @returns all that are not empty, in one piece if that is large */
export function joinFamilies(families: readonly Text[]): Text {
  const parts: Buffer[] = [];
  let text = '';
  for (const family of families) {
    if (family.length === 0) {
      continue;
    }
    if (parts.length > 0 || text !== '') {
      text += BETWEEN_FAMILIES;
    }
    if (typeof family === 'string') {
      text += family;
    } else {
      parts.push(Buffer.from(text), family);
      text = '';
    }
  }
  return parts.length === 0 && text.length < LARGE ? text : Buffer.concat([...parts, Buffer.from(text)]);
}
