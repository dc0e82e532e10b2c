/** Parses one JSON object of a response; for a long one only the required fields. */
import { isRecord } from '../ollama/json.ts';
import { modelIn } from './beginning.ts';
import { Ends } from './ends.ts';
import type { Line } from './last-lines.ts';

export type Fields = Readonly<Record<string, unknown>>;

/**
 * @param skip bytes before the object, such as `data:`
 * @returns undefined if it is not a complete JSON object
 */
export function fieldsOf(line: Line, skip = 0): Fields | undefined {
  const whole = line instanceof Ends ? line.whole : line;
  if (whole !== undefined) {
    return parsed(whole.toString('utf8', skip));
  }
  return line instanceof Ends ? scanned(line, skip) : undefined;
}

function parsed(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const KEYS = [
  'load_duration',
  'prompt_eval_count',
  'prompt_eval_cached_count',
  'prompt_eval_duration',
  'eval_count',
  'eval_duration',
] as const;

const DONE = /"done":\s?true[,}]/;
const ERROR = /^\s*\{(?:"type":\s?"error",)?"error":/;
const USAGE = /"usage":\s?(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})/g;

/** Quotes inside a string are escaped, so a quoted key is always one. The last of several is the outermost. */
function scanned(line: Ends, skip: number): Fields | undefined {
  const { head, tail } = line.ends;
  if (!/\}\s*$/.test(tail.slice(-16))) {
    return undefined;
  }
  const numbers = KEYS.flatMap((key) => {
    const value = [...tail.matchAll(new RegExp(`"${key}":\\s?(\\d{1,20})[,}]`, 'g'))].at(-1)?.[1];
    return value === undefined ? [] : [[key, Number(value)] as const];
  });
  const [, usage] = [...tail.matchAll(USAGE)].at(-1) ?? [];
  return {
    model: modelIn(head) ?? modelIn(tail),
    // It is between a long `response` and a long `context`, which are not kept; the counts are only present with it.
    done: numbers.length > 0 || DONE.test(tail) || DONE.test(head),
    ...(ERROR.test(head.slice(skip)) && { error: 'in a long line' }),
    ...(usage !== undefined && { usage: parsed(usage) }),
    ...Object.fromEntries(numbers),
  };
}
