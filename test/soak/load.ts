/** Starts those who scrape, and gathers what they were answered. */
import { hear } from './channel.ts';
import type { Crowd } from './crowd.ts';
import type { Exporter } from './exporters.ts';
import type { Trouble } from './judge.ts';
import type { Probed } from './prober.ts';
import type { Programs } from './processes.ts';
import type { Answer } from './scrape.ts';

export interface LoadOptions {
  readonly seed: number;
  readonly steady: number;
  readonly storm: number;
}

export interface Load {
  /** Up to now. */
  readonly answers: readonly Answer[];
  readonly storms: readonly Trouble[];
  /** Resolves when every answer is there. */
  readonly stop: () => Promise<void>;
}

const STORM_EVERY_MS = 10_000;
/** For those that aren't loaded, and for what isn't there. */
const SELDOM_MS = 200;

export function startLoad(programs: Programs, exporters: readonly Exporter[], options: LoadOptions): Load {
  const answers: Answer[] = [];
  const storms: Trouble[] = [];
  const probed = exporters.flatMap(({ name, url, pid }): Probed[] => {
    const metrics = { name, exporter: name, pid, url: `${url}metrics`, everyMs: SELDOM_MS };
    const dns = { ...metrics, name: 'dns', url: `${url}probe?module=dns&target=soak.invalid` };
    return name === 'main' ? [{ ...metrics, everyMs: 1_000 / options.steady }, dns] : [metrics];
  });
  const prober = programs.run('prober', JSON.stringify(probed));
  hear<Answer>(prober.stdout, (answer) => answers.push(answer));
  const crowds = exporters
    .filter(({ name }) => name === 'main')
    .map(({ name, url, pid }) => {
      const { seed, storm } = options;
      const scraped = { name: 'storm', exporter: name, pid, url: `${url}metrics` };
      const crowd: Crowd = { ...scraped, seed, storm, stormEveryMs: STORM_EVERY_MS };
      const child = programs.run('crowd', JSON.stringify(crowd));
      hear<readonly Answer[]>(child.stdout, (storm) => {
        const start = Math.min(...storm.map((answer) => answer.start));
        const end = Math.max(...storm.map((answer) => answer.end));
        storms.push({ fault: 'storm', befalls: ['main'], start, end });
        answers.push(...storm);
      });
      return child;
    });
  return {
    answers,
    storms,
    stop: async () => {
      const ended = [prober, ...crowds].map(
        (child) => new Promise<void>((resolve) => child.stdout.once('close', resolve)),
      );
      for (const child of [prober, ...crowds]) {
        child.stdin.end();
      }
      await Promise.all(ended);
    },
  };
}
