/** Turns all that was seen into a verdict, and the verdict into text. */
import { lateByMs, type Trouble, verdict } from './judge.ts';
import { availabilityLines } from './log-check.ts';
import { type Answer, BUDGET_MS } from './scrape.ts';
import type { SoakOptions } from './soak.ts';
import type { Vitals } from './vitals.ts';

export interface Seen {
  readonly answers: readonly Answer[];
  readonly troubles: readonly Trouble[];
  readonly before: Vitals;
  readonly after: Vitals;
  /** How often each read overlapped another one. */
  readonly overlaps: ReadonlyMap<string, number>;
  /** Of the exporter under load. */
  readonly log: readonly string[];
  readonly problems: readonly string[];
}

export interface Summary {
  /** None: it has passed. */
  readonly violations: readonly string[];
  readonly faults: readonly string[];
  readonly text: string;
}

export function summarize(options: SoakOptions, seen: Seen): Summary {
  const { answers, troubles, overlaps } = seen;
  const wrong = answers.flatMap((answer) => verdict(answer, troubles) ?? []);
  const twice = [...overlaps].map(
    ([read, times]) => `Ollama saw two reads of ${read} at a time, ${times} times`,
  );
  const violations = [...count(wrong), ...(options.oneRead ? twice : []), ...seen.problems];
  const steady = answers.filter(({ name }) => name !== 'dns' && name !== 'storm');
  const figures = [
    `${options.seconds} s, seed ${options.seed}, ${options.steady} scrapes a second and ${options.storm} at once`,
    `answers: ${count(answers.map(({ name, kind }) => `${name} ${kind}`)).join(', ')}`,
    `failed calls: ${count(steady.flatMap(({ notes, kind }) => (kind === 'metrics' ? notes : []))).join(', ')}`,
    `troubles: ${count(troubles.map(({ fault }) => fault)).join(', ')}`,
    `over budget: at most ${most(steady.map(({ end, start }) => end - start - BUDGET_MS))} ms, ${most(steady.map(lateByMs))} ms without what the machine took`,
    `right again after a fault: at most ${slowestRecovery(answers, troubles)}`,
    `overlapping reads: ${[...overlaps].map(([read, times]) => `${times} of ${read}`).join(', ') || 'none'}`,
    `lines on Ollama in the log: ${availabilityLines(seen.log)}`,
    `heap ${change(seen, 'heapMiB')} MiB, resident ${change(seen, 'residentMiB')} MiB (at most ${seen.after.peakMiB.toFixed(0)}), file descriptors ${change(seen, 'fds')}`,
    ...violations.map((violation) => `FAIL ${violation}`),
    violations.length === 0 ? 'passed' : 'failed',
  ];
  return {
    violations,
    faults: troubles.map(({ fault }) => fault),
    text: figures.join('\n'),
  };
}

function count(texts: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([text, times]) => `${times} ${text}`);
}

/** From the end of a fault to the end of the first right answer that began after it, and which fault that was. */
function slowestRecovery(answers: readonly Answer[], troubles: readonly Trouble[]): string {
  const right = answers.filter(
    ({ name, kind, notes }) => name === 'main' && kind === 'metrics' && notes.length === 0,
  );
  const [slowest] = troubles
    .filter(({ fault, befalls }) => fault !== 'storm' && befalls.includes('main'))
    .map(({ fault, end }) => {
      const ends = right.filter(({ start }) => start >= end).map((answer) => answer.end - end);
      return { fault, ms: Math.round(Math.min(...ends)) };
    })
    .sort((a, b) => b.ms - a.ms);
  return slowest === undefined ? 'no fault' : `${slowest.ms} ms (${slowest.fault})`;
}

function change({ before, after }: Seen, figure: keyof Vitals): string {
  return `${before[figure].toFixed(0)} → ${after[figure].toFixed(0)}`;
}

function most(figures: readonly number[]): number {
  return Math.round(Math.max(...figures));
}
