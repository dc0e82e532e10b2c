/** CPU time at one scrape a second: what an exporter costs a machine that it only watches. */
import { figuresOf } from '../figures.mjs';

export const STEADY_CELL = '10 models, one scrape a second';

/** Of each contestant at the same time, since they hardly take any; they are the rounds. */
const INSTANCES = 3;

/**
 * @param {import('../bench.mjs').Bench} bench
 * @param {import('../progress.mjs').Progress} progress
 */
export async function measureSteady(bench, progress) {
  const { steadySeconds } = bench.settings;
  const conditions = await bench.serve({ models: 10, mode: 'unchanged' });
  const rounds = Array.from({ length: INSTANCES }, (_, round) =>
    bench.contestants.map((contestant) => ({ contestant, round })),
  ).flat();
  progress(0, 1, `${rounds.length} processes for ${steadySeconds} s`);
  /** @type {Array<{ name: string, round: number, running: import('../contestants.mjs').Running }>} */
  const started = [];
  try {
    for (const { contestant, round } of rounds.filter(
      (entry) => entry.round === 0 || entry.contestant.ours,
    )) {
      started.push({ name: contestant.name, round, running: await contestant.start(conditions) });
    }
    const measured = started.filter(({ running }) => running.pid !== undefined);
    const report = await bench.load({
      urls: measured.map(({ running }) => running.url),
      rate: measured.length,
      warmUpSeconds: 3,
      seconds: steadySeconds,
      pids: measured.map(({ running }) => running.pid ?? 0),
    });
    for (const [index, { name, round }] of measured.entries()) {
      const cpuShare = ((report.cpuSeconds[index] ?? 0) * 100) / report.seconds;
      const { othersShare = 0 } = figuresOf(report);
      bench.record({
        section: 'steady',
        cell: STEADY_CELL,
        contestant: name,
        round,
        figures: { cpuShare, othersShare },
      });
    }
  } finally {
    await Promise.all(started.map(({ running }) => running.stop()));
  }
}
