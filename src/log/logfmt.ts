/** Converts a JSON line of pino to logfmt, quoted by the rules of Go's slog.TextHandler. */
import { INVISIBLE } from './invisible.ts';

/** Characters that require quotes: space, quote, equals sign, and anything that a terminal could interpret. */
const NEEDS_QUOTES = new RegExp(`^$|[\\s"=\\p{C}${INVISIBLE}]`, 'u');

/** Not escaped by JSON.stringify: control characters above ASCII, format characters, line separators. */
const UNPRINTABLE = new RegExp(`(?!\n)[\\p{C}${INVISIBLE}]`, 'gu');

/** @param json with a line break only at its end */
export function escapeUnprintable(json: string): string {
  return json.replaceAll(UNPRINTABLE, escapeUnicode);
}

/** @param json one JSON object; its keys are fixed and need no quotes */
export function toLogfmt(json: string): string {
  const { time, level, msg, ...fields }: Record<string, unknown> = JSON.parse(json);
  const pairs = Object.entries({ time, level, msg, ...fields });
  return `${pairs.map(([key, value]) => `${key}=${quote(value)}`).join(' ')}\n`;
}

function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return NEEDS_QUOTES.test(text) ? escapeUnprintable(JSON.stringify(text)) : text;
}

function escapeUnicode(text: string): string {
  return [...Array(text.length).keys()]
    .map((index) => `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`)
    .join('');
}
