import { describe, expect, test } from 'vitest';
import { GOALS } from '../../bench/goals.mjs';
import { plotOf } from '../../bench/plot.mjs';
import { resultsText } from '../../bench/results.mjs';
import { summarize } from '../../bench/runs.mjs';
import { parseSettings } from '../../bench/settings.mjs';
import { goalsTable, tableOf } from '../../bench/table.mjs';
import { judge } from '../../bench/verdicts.mjs';

const ALONE = '10 models, 1 connection, unchanged';

const run = (contestant: string, round: number, figures: Readonly<Record<string, number>>, cell = ALONE) => ({
  section: 'load',
  cell,
  contestant,
  round,
  figures,
});

/** The second round was on a machine half as fast. */
const RUNS = [
  run('floor', 0, { perSecond: 1_000, cpuMs: 0.5 }),
  run('exporter', 0, { perSecond: 900, cpuMs: 0.525, othersShare: 0 }),
  run('exporter+own', 0, { perSecond: 800, cpuMs: 0.625 }),
  run('floor', 1, { perSecond: 500, cpuMs: 1 }),
  run('exporter', 1, { perSecond: 400, cpuMs: 1.05, othersShare: 12.5 }),
  run('exporter+own', 1, { perSecond: 350, cpuMs: 1.45 }),
  run('exporter', 0, { cpuMs: 1.5 }, '100 models, 1 connection, unchanged'),
  run('exporter', 1, { cpuMs: 3 }, '100 models, 1 connection, unchanged'),
  run('exporter', 0, { cpuMs: 16.5 }, '1,000 models, 1 connection, unchanged'),
  run('exporter', 1, { cpuMs: 33 }, '1,000 models, 1 connection, unchanged'),
];

const verdicts = judge(GOALS, RUNS);
const verdictOn = (title: string) => verdicts.find((verdict) => verdict.title === title);

describe('a goal', () => {
  test('goes by the median of the ratios of rounds, and says how far it was missed', () => {
    const verdict = verdictOn('scrapes a second, 1 connection, unchanged');
    expect(verdict?.value?.median).toBeCloseTo(0.85);
    expect(verdict?.missedBy).toBeCloseTo(0.1);
  });

  test('of most is met below its limit', () => {
    const verdict = verdictOn('CPU per scrape, 1 connection, unchanged');
    expect(verdict?.value?.median).toBeCloseTo(1.05);
    expect(verdict?.missedBy).toBe(0);
  });

  test('that nothing was measured for is neither met nor missed', () => {
    expect(verdictOn('start to first good scrape')).not.toHaveProperty('missedBy');
  });

  test('for the own metrics is what they cost on top, by what the floor costs', () => {
    expect(verdictOn('CPU of the exporter’s own metrics')?.value?.median).toBeCloseTo(0.3);
  });

  test('for growth compares the exporter with itself', () => {
    expect(verdictOn('CPU per scrape, 1,000 to that of 100 models, unchanged')?.value?.median).toBeCloseTo(
      11,
    );
  });

  test('for answers that are not good goes by the worst of all rounds', () => {
    expect(verdictOn('% not 200 or not whole under load, at worst')?.missedBy).toBe(12.5);
  });
});

test('each goal has a title of its own', () => {
  expect(new Set(GOALS.map(({ title }) => title)).size).toBe(GOALS.length);
});

test('the table has medians and ratios, in a column for each contestant', () => {
  const lines = tableOf(summarize(RUNS)).split('\n');
  expect(lines[0]?.trim().split(/ +/)).toEqual(['floor', 'exporter', 'exporter+own']);
  const line = lines.find((text) => text.includes('scrapes a second'));
  expect(line).toMatch(/ 750 +650 {2}×0\.85 \(0\.83–0\.88\) +575 {2}×0\.75 \(0\.72–0\.78\)$/);
});

test('the goals are told as met, missed or not measured', () => {
  const text = goalsTable(verdicts);
  expect(text).toMatch(/^scrapes a second, 1 connection, unchanged +≥ 0\.95 +0\.85 .* missed by 0\.10$/m);
  expect(text).toMatch(/^CPU per scrape, 1 connection, unchanged +≤ 1\.1 +1\.05 .* met$/m);
  expect(text).toMatch(/^start to first good scrape +≤ 1\.5 +not measured$/m);
});

const results = {
  date: '2026-11-22T09:00:00.000Z',
  machine: { cpu: 'A & B <1>', cores: 2, memoryMiB: 1_024, kernel: '6.1' },
  versions: { node: 'v20.18.1', exporter: '0.1.0', undici: '7.30.2', revision: '0123456789' },
  settings: parseSettings([]),
  goals: verdicts,
  summary: summarize(RUNS),
  runs: RUNS,
};

test('the results are JSON with everything in it', () => {
  expect(JSON.parse(resultsText(results))).toMatchObject({ runs: RUNS, machine: { cores: 2 } });
});

test('the plot shows each ratio to the floor that was measured, and keeps its mark-up in order', () => {
  const svg = plotOf(results);
  expect(svg.match(/<rect /g)).toHaveLength(3);
  expect(svg).toContain('0.85 (≥ 0.95) missed by 0.10');
  expect(svg).toContain('A &amp; B &lt;1>');
  expect(svg).not.toContain('NaN');
});

describe('the command line', () => {
  test('takes other exporters, with their process where it is known', () => {
    const args = ['--other', 'a=http://127.0.0.1:1/metrics?x=y', '--other', 'b=http://127.0.0.1:2/'];
    expect(parseSettings([...args, '--pid', 'a=17', '--ollama-port', '11500']).others).toEqual([
      { name: 'a', url: 'http://127.0.0.1:1/metrics?x=y', pid: 17 },
      { name: 'b', url: 'http://127.0.0.1:2/', pid: undefined },
    ]);
  });

  test.each([
    [['--only', 'laod'], /--only=laod: not one of load, start/],
    [['--other', 'a=http://127.0.0.1:1/'], /--other needs --ollama-port/],
    [['--other', 'http', '--ollama-port', '1'], /--other=http: not of the form name=value/],
    [['--rounds', 'many'], /--rounds=many: not a whole number above 0/],
  ])('refuses %j', (args, message) => {
    expect(() => parseSettings(args)).toThrow(message);
  });
});
