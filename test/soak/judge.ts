/** Decides whether a response was allowed at its time. */

export const FAULTS = [
  'killed',
  'stopped',
  'hanging',
  'dripping',
  'resetting',
  'garbage',
  'huge',
  'clock',
  'descriptors',
  'storm',
] as const;
export type FaultName = (typeof FAULTS)[number];

/** What each fault may cause besides complete and right responses. */
const EFFECTS: Readonly<Record<FaultName, readonly Answer['kind'][]>> = {
  killed: ['failed'],
  stopped: ['failed', 'busy'],
  hanging: ['failed', 'busy'],
  dripping: ['failed', 'busy'],
  resetting: ['failed'],
  garbage: ['failed'],
  huge: ['failed', 'busy'],
  clock: [],
  descriptors: ['failed', 'none'],
  // More connections than the exporter accepts.
  storm: ['busy', 'none'],
};

export interface Answer {
  readonly client: 'steady' | 'storm';
  readonly start: number;
  readonly end: number;
  /** Delays of the machine that fall into this time. */
  readonly lagMs: number;
  /** Duration of the reading, which may have begun before the request. */
  readonly readMs: number;
  /** `failed`: metrics that report a failed API call; `busy`: 503; `none`: no response. */
  readonly kind: 'right' | 'failed' | 'busy' | 'none' | 'wrong';
  /** The API calls that failed, or what is wrong. */
  readonly note: string;
}

export interface Trouble {
  readonly fault: FaultName;
  readonly start: number;
  readonly end: number;
}

/** Prometheus's scrape timeout, of which the exporter keeps half a second. */
export const TIMEOUT_SECONDS = 3;
const BUDGET_MS = 2_500;
const MOST_LATE_MS = 250;
/** Until responses that were on their way when a fault ended have arrived. */
const SETTLE_MS = 250;
/** With a longer delay of the machine, requests pile up. */
const NOISE_MS = 50;

/** How long the response came after the end of its budget, without the machine's delays. */
export function lateMs({ start, end, lagMs }: Answer): number {
  return Math.round(end - start - BUDGET_MS - lagMs);
}

/** @returns what is wrong with the response; undefined if nothing is */
export function violation(answer: Answer, troubles: readonly Trouble[]): string | undefined {
  const { client, kind, note, lagMs } = answer;
  const faults = troubles
    .filter(({ start, end }) => start <= answer.end && end + SETTLE_MS >= answer.start - answer.readMs)
    .map(({ fault }) => fault);
  const during = `during ${[...new Set(faults)].sort().join(' and ') || 'calm'}`;
  const effects = faults.flatMap((fault) => EFFECTS[fault]);
  if (kind !== 'right' && !effects.includes(kind) && !(kind === 'busy' && lagMs > NOISE_MS)) {
    return `${client} ${kind} ${during}: ${note}`;
  }
  return lateMs(answer) > MOST_LATE_MS ? `${client} ${lateMs(answer)} ms late ${during}` : undefined;
}
