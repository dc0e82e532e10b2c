/** Parses the responses of llama-server: `/slots` → busy slots, `/metrics` → counters. */
import { parseJson } from '../ollama/body.ts';
import { ApiError } from '../ollama/errors.ts';
import { isRecord } from '../ollama/json.ts';

export interface Slots {
  /** Requests that it processes concurrently. */
  readonly total: number;
  readonly busy: number;
}

/** By their names in `/metrics`, without prefix; all count from the load of the model. */
export const COUNTERS = [
  'tokens_predicted_total',
  'tokens_predicted_seconds_total',
  'prompt_tokens_total',
  'prompt_tokens_cached_total',
  'prompt_seconds_total',
] as const;
export type CounterName = (typeof COUNTERS)[number];

const NAMES: ReadonlySet<string> = new Set(COUNTERS);

/** The counters that this version of llama-server has. */
export type RunnerCounters = Readonly<Partial<Record<CounterName, number>>>;

export interface RunnerMetrics {
  readonly counters: RunnerCounters;
  /** Busy slots, as in `/slots`; undefined if missing. */
  readonly busy: number | undefined;
}

/** Far more than the parallel requests of any Ollama. */
const MAX_SLOTS = 1_024;

/** @throws ApiError `invalid` or `too_large` */
export function parseSlots(text: string): Slots {
  const slots = parseJson(text);
  if (!Array.isArray(slots) || slots.length === 0 || slots.length > MAX_SLOTS) {
    throw new ApiError('invalid', `/slots of the runner is not a list of 1 to ${MAX_SLOTS} slots`);
  }
  const states = slots.map((slot: unknown) => (isRecord(slot) ? slot['is_processing'] : undefined));
  if (!states.every((state) => typeof state === 'boolean')) {
    throw new ApiError('invalid', '/slots of the runner has a slot without "is_processing"');
  }
  return { total: states.length, busy: states.filter(Boolean).length };
}

const SAMPLE = /^llamacpp:(\w+) (\S+)$/;

/** @throws ApiError `invalid` if a counter is not a number from 0 to 2^53, or there is none */
export function parseMetrics(text: string): RunnerMetrics {
  let busy: number | undefined;
  const found: Partial<Record<CounterName, number>> = {};
  for (const line of text.split('\n')) {
    const [, name = '', value = ''] = SAMPLE.exec(line.trimEnd()) ?? [];
    if (isCounter(name)) {
      found[name] = numberOf(name, value);
    } else if (name === 'requests_processing') {
      busy = numberOf(name, value);
    }
  }
  if (Object.keys(found).length === 0) {
    throw new ApiError('invalid', '/metrics of the runner has no counter of llama-server');
  }
  return { counters: found, busy };
}

function isCounter(name: string): name is CounterName {
  return NAMES.has(name);
}

/** C++ prints six significant digits: `1.06182e+06`. */
const NUMBER = /^\d+(\.\d+)?(e[+-]?\d{1,3})?$/;

function numberOf(name: string, text: string): number {
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 0 && value <= 2 ** 53)) {
    throw new ApiError('invalid', `/metrics of the runner has no valid number for ${name}`);
  }
  return value;
}
