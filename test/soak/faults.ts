/** The faults: when each occurs, and which responses are allowed then. */
import { randomNumbers } from '../../src/demo/workload.ts';

/** More concurrent clients than the exporter accepts connections. */
export const STORM = { name: 'storm', effects: ['none'] } as const;

/** The effects are the allowed responses besides a complete and correct one. */
const FAULTS = [
  { name: 'killed', effects: ['failed'] },
  { name: 'stopped', effects: ['failed'] },
  { name: 'hanging', effects: ['failed'] },
  { name: 'dripping', effects: ['failed'] },
  { name: 'resetting', effects: ['failed'] },
  { name: 'garbage', effects: ['failed'] },
  { name: 'huge', effects: ['failed'] },
  { name: 'clock', effects: [] },
  { name: 'descriptors', effects: ['failed', 'none'] },
  STORM,
] as const;

export interface Fault {
  readonly name: (typeof FAULTS)[number]['name'];
  readonly effects: ReadonlyArray<Scraped['kind']>;
  /** As `now()` of states.ts. */
  readonly start: number;
  readonly end: number;
  /** From 0 to 1: which variant of the fault. */
  readonly variant: number;
}

/**
 * @returns gives the next two faults after a moment; they overlap. The same seed gives the same order, durations and
 *   variants. Each fault occurs once before any occurs again.
 */
export function schedule(seed: number): (after: number) => readonly Fault[] {
  const random = randomNumbers(seed);
  const between = (least: number, most: number) => least + random() * (most - least);
  const shuffled = () =>
    FAULTS.map((fault) => ({ fault, rank: random() }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ fault }) => fault);
  let deck = shuffled();
  return (after) => {
    // There are always two; the defaults are for the compiler.
    const [first = STORM, second = STORM] = deck;
    deck = deck.length > 2 ? deck.slice(2) : shuffled();
    const start = after + between(500, 1_000);
    const overlap = start + between(200, 1_000);
    // Shorter and longer than the timeout of a scrape.
    const overlapEnd = overlap + between(200, 3_500);
    const end = overlapEnd + between(200, 1_000);
    const firstEnds = random() < 0.5;
    return [
      { ...first, start, end: firstEnds ? overlapEnd : end, variant: random() },
      { ...second, start: overlap, end: firstEnds ? end : overlapEnd, variant: random() },
    ];
  };
}

export interface Scraped {
  readonly start: number;
  readonly end: number;
  /** Delays of the machine within this time. */
  readonly lagMs: number;
  /** The duration of the scrape of Ollama, which may have started before. */
  readonly readMs: number;
  /** `failed`: metrics that report a failed API call; `none`: no response. */
  readonly kind: 'right' | 'failed' | 'none' | 'wrong';
  /** The API calls that failed, or what is wrong. */
  readonly note: string;
}

/** Prometheus's scrape timeout, of which the exporter keeps half a second. */
export const TIMEOUT_SECONDS = 3;
const BUDGET_MS = 2_500;
export const MAX_LATE_MS = 250;
/** Until responses that were on their way when a fault ended have arrived. */
const SETTLE_MS = 250;

/** The time from the end of its budget to the response, without the machine's delays. */
export function lateMs({ start, end, lagMs }: Scraped): number {
  return Math.round(end - start - BUDGET_MS - lagMs);
}

/** @returns the problem with the response; undefined if there is none */
export function violation(scraped: Scraped, faults: readonly Fault[]): string | undefined {
  const { kind, note } = scraped;
  const begin = scraped.start - scraped.readMs;
  const active = faults.filter(({ start, end }) => start <= scraped.end && end + SETTLE_MS >= begin);
  const during = `during ${active.map(({ name }) => name).join(' and ') || 'calm'}`;
  if (kind !== 'right' && !active.some(({ effects }) => effects.includes(kind))) {
    return `${kind} ${during}: ${note}`;
  }
  return lateMs(scraped) > MAX_LATE_MS ? `${lateMs(scraped)} ms late ${during}` : undefined;
}
