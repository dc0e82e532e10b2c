/** `--proxy.include-usage` in responses: removes usage from the stream that the client did not request. */
import { isRecord } from '../ollama/json.ts';

/** No event of Ollama is as long; a longer one and everything after it is not filtered. */
const MAX_EVENT_BYTES = 64 * 1024;

const NOTHING: Buffer = Buffer.alloc(0);

/** The end of an event, with any line breaks. */
const EVENT_END = /\r?\n\r?\n/g;

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
  let held: Buffer = NOTHING;
  let off = false;
  return {
    push: (chunk) => {
      if (off) {
        return chunk;
      }
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      // One character per byte, so that none changes.
      const text = bytes.toString('latin1');
      const { passed, length } = filtered(text);
      held = bytes.subarray(length);
      off = held.length > MAX_EVENT_BYTES;
      const rest = off ? held : NOTHING;
      held = off ? NOTHING : Buffer.from(held);
      return Buffer.concat([Buffer.from(passed, 'latin1'), rest]);
    },
    end: () => {
      const rest = held;
      held = NOTHING;
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
