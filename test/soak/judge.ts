/** What has to hold of every answer, whatever is going on. */
import { type Answer, BUDGET_MS } from './scrape.ts';

/** A fault, or a storm. */
export interface Trouble {
  readonly fault: string;
  readonly befalls: readonly string[];
  readonly start: number;
  readonly end: number;
}

/** By which an answer may outlive its budget. */
const LATE_MS = 250;
/** Beyond this the machine may have let requests pile up. */
const NOISE_MS = 50;
/** Until what is on its way when a fault ends has arrived: a reading that begins later has to be right. */
const SETTLE_MS = 250;

/** Those in which Ollama takes its time, so that scrapes pile up. */
const SLOW = new Set(['stopped', 'hanging', 'dripping', 'huge', 'storm', 'exporter stopped']);
/** Those that must not show at all in what is answered. */
const HARMLESS = new Set(['clock', 'own clock', 'storm']);

/** Beyond its budget, and beyond what the machine can be blamed for: it kept the exporter or the prober waiting. */
export function lateByMs({ start, end, lagMs }: Answer): number {
  return end - start - BUDGET_MS - lagMs;
}

/** @returns what is wrong with it; undefined if nothing is */
export function verdict(answer: Answer, troubles: readonly Trouble[]): string | undefined {
  const now = troubles.filter(
    ({ befalls, start, end }) =>
      befalls.includes(answer.exporter) &&
      start <= answer.end &&
      end + SETTLE_MS >= answer.start - answer.readMs,
  );
  const faults = new Set(now.map(({ fault }) => fault));
  const during = `(during ${[...faults].join(', ') || 'calm'})`;
  if (!MAY_BE[answer.kind](answer, faults)) {
    return `${answer.name} ${answer.kind} ${answer.notes.join(', ')} ${during}`;
  }
  return lateByMs(answer) > LATE_MS && !faults.has('exporter stopped')
    ? `${answer.name} answered ${Math.round(lateByMs(answer))} ms late, ${Math.round(answer.lagMs)} ms of the machine's left out ${during}`
    : undefined;
}

type Check = (answer: Answer, faults: ReadonlySet<string>) => boolean;

/** Whether an answer of this kind may be given. */
const MAY_BE: Readonly<Record<Answer['kind'], Check>> = {
  wrong: () => false,
  // The storm is larger than the number of connections that the exporter takes.
  none: (_, faults) => faults.has('no file descriptors') || faults.has('storm'),
  // Kept from the processor for a second, the exporter finds fifty requests at once.
  busy: (answer, faults) => [...faults].some((fault) => SLOW.has(fault)) || answer.lagMs > NOISE_MS,
  metrics: ({ name, notes }, faults) =>
    name === 'dns'
      ? notes.length === 2 && notes.every((note) => /(dns|timeout)$/.test(note))
      : notes.length === 0 || [...faults].some((fault) => !HARMLESS.has(fault)),
};
