/** `--proxy.include-usage` in responses: removes usage from the stream that the client did not request. */
import { Bytes } from '../ollama/bytes.ts';
import { isRecord } from '../ollama/json.ts';

/** No event of Ollama is as long; a longer one and everything after it is not filtered. */
const MAX_EVENT_BYTES = 64 * 1024;

const NOTHING: Buffer = Buffer.alloc(0);

/** The end of an event, with any line breaks. */
const EVENT_END = /\r?\n\r?\n/g;
/** How much of an end can have arrived before its last byte. */
const EVENT_END_BYTES = 3;

/** Quotes inside a string are escaped, so this is always a key. */
const KEY = ',"usage":';
/** Its value, which must be the last of the JSON, and the end of the event. */
const LAST_VALUE = /^(?:null|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})(\}\s*)$/;

export interface UsageFilter {
  /** @returns the complete events, to pass on */
  readonly push: (chunk: Buffer) => Buffer;
  /** @returns the remaining data of an incomplete event */
  readonly end: () => Buffer;
}

export function createUsageFilter(): UsageFilter {
  let held = new Bytes();
  let off = false;
  return {
    push: (chunk) => {
      if (off) {
        return chunk;
      }
      const before = Math.max(0, held.length - EVENT_END_BYTES);
      held.push(chunk);
      const bytes = held.all;
      // One character per byte, so that none changes. Only the new bytes are searched: an event may arrive byte by byte.
      const endsEvent = bytes.toString('latin1', before).search(EVENT_END) !== -1;
      const { passed, length } = endsEvent ? filtered(bytes.toString('latin1')) : { passed: '', length: 0 };
      const rest = bytes.subarray(length);
      off = rest.length > MAX_EVENT_BYTES;
      if (off || endsEvent) {
        held = new Bytes();
        held.push(off ? NOTHING : rest);
      }
      return Buffer.concat([Buffer.from(passed, 'latin1'), off ? rest : NOTHING]);
    },
    end: () => {
      const rest = held.all;
      held = new Bytes();
      return rest;
    },
  };
}

/** @returns the filtered events of a text, and the length of all of them */
function filtered(text: string): { readonly passed: string; readonly length: number } {
  let passed = '';
  let length = 0;
  for (const { 0: end, index } of text.matchAll(EVENT_END)) {
    const next = index + end.length;
    passed += eventWithoutUsage(text.slice(length, next));
    length = next;
  }
  return { passed, length };
}

/** @returns '' for an event that has nothing but usage */
function eventWithoutUsage(event: string): string {
  if (!event.includes('"usage"')) {
    return event;
  }
  const [, json = ''] = /^data:(.*)$/ms.exec(event) ?? [];
  const fields = parse(json);
  if (fields === undefined) {
    return event;
  }
  const { choices, usage } = fields;
  return Array.isArray(choices) && choices.length === 0 && isRecord(usage) ? '' : withoutLastKey(event);
}

function withoutLastKey(event: string): string {
  const at = event.lastIndexOf(KEY);
  const [, end] = (at === -1 ? null : LAST_VALUE.exec(event.slice(at + KEY.length))) ?? [];
  return end === undefined ? event : event.slice(0, at) + end;
}

function parse(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
