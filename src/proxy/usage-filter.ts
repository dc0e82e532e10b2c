/** `--proxy.include-usage`, on the way back: takes the figures that the client did not request out of the stream. */
import { isRecord } from '../ollama/json.ts';

/** No event of Ollama is as long; one that is passes as it is, and so does all after it. */
const MAX_EVENT_BYTES = 64 * 1024;

const NOTHING: Buffer = Buffer.alloc(0);

/** The end of an event, by any line ends that its server uses. */
const EVENT_END = /\r?\n\r?\n/g;

/** A quote within a text is escaped, so that this is a key. */
const KEY = ',"usage":';
/** From there on: its value, as the last one of the JSON, and the end of the event. */
const LAST_VALUE = /^(?:null|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})(\}\s*)$/;

export interface UsageFilter {
  /** @returns what may go on now: whole events */
  readonly push: (chunk: Buffer) => Buffer;
  /** @returns what was held back of an event that has no end */
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
      // Each byte a character, so that none changes.
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

/** @returns what passes of the whole events of a text, and the length of all of them */
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

/** @returns '' for the event that has nothing but the figures */
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
