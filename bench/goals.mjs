/** The goals: most of them for ratios to the floor of the same run, with 10 models unless said. */
import { EXPORTER, FLOOR, WITH_OWN_METRICS } from './contestants.mjs';
import { byRound, cellName, ratiosToFloor } from './runs.mjs';
import { LARGE_FLEET_CELL } from './sections/fleet.mjs';
import { MEMORY_CELL } from './sections/memory.mjs';
import { START_CELL } from './sections/start.mjs';
import { STEADY_CELL } from './sections/steady.mjs';
import { ratios } from './statistics.mjs';

/**
 * @typedef {import('./bodies.mjs').Mode} Mode
 * @typedef {import('./verdicts.mjs').Goal} Goal
 * @typedef {Goal['values']} Values
 */

/** @type {(title: string, limit: number, values: Values, toFloor?: boolean) => Goal} */
const atLeast = (title, limit, values, toFloor = true) => ({
  title,
  sense: 'at least',
  limit,
  toFloor,
  values,
});

/** @type {(title: string, limit: number, values: Values, toFloor?: boolean) => Goal} */
const atMost = (title, limit, values, toFloor = true) => ({
  title,
  sense: 'at most',
  limit,
  toFloor,
  values,
});

/** @type {(section: string, cell: string, figure: string) => Values} */
const toFloor = (section, cell, figure) => (runs) =>
  ratiosToFloor(runs, { section, cell, figure, contestant: EXPORTER });

/** @type {(models: number, connections: number, mode: Mode, figure: string) => Values} */
const underLoad = (models, connections, mode, figure) =>
  toFloor('load', cellName({ models, connections, mode }), figure);

/** @type {(mode: Mode, perSecond: number, cpu: number, cpuOf1000: number) => Goal[]} */
const alone = (mode, perSecond, cpu, cpuOf1000) => [
  atLeast(`scrapes a second, 1 connection, ${mode}`, perSecond, underLoad(10, 1, mode, 'perSecond')),
  atMost(`CPU per scrape, 1 connection, ${mode}`, cpu, underLoad(10, 1, mode, 'cpuMs')),
  atMost(`CPU per scrape, 1,000 models, ${mode}`, cpuOf1000, underLoad(1_000, 1, mode, 'cpuMs')),
  // Ten times the models may cost ten times as much: linear, whatever a scrape costs without any.
  atMost(`CPU per scrape, 100 to that of 10 models, ${mode}`, 10, growth(100, 10, mode), false),
  atMost(`CPU per scrape, 1,000 to that of 100 models, ${mode}`, 10, growth(1_000, 100, mode), false),
];

/** @type {(mode: Mode, connections: number, perSecond: number) => Goal[]} */
const together = (mode, connections, perSecond) => {
  const under = `${connections} connections, ${mode}`;
  return [
    atLeast(`scrapes a second, ${under}`, perSecond, underLoad(10, connections, mode, 'perSecond')),
    atMost(`p99, ${under}`, 1, underLoad(10, connections, mode, 'p99')),
  ];
};

/** @type {readonly Goal[]} */
export const GOALS = [
  ...alone('unchanged', 0.95, 1.1, 3),
  ...alone('changing', 0.75, 1.35, 8),
  ...together('unchanged', 16, 2.5),
  ...together('unchanged', 256, 4),
  ...together('changing', 16, 2.5),
  ...together('changing', 256, 4),
  atMost('% not 200 or not whole under load, at worst', 0, worstShareOfOthers, false),
  atMost('CPU at one scrape a second', 1.2, toFloor('steady', STEADY_CELL, 'cpuShare')),
  atMost('RSS at rest', 1.25, toFloor('start', START_CELL, 'rssMiB')),
  atMost('RSS after 100,000 scrapes', 1.25, toFloor('memory', MEMORY_CELL, 'rssMiB')),
  // Flat, but for what one garbage collection leaves more than another.
  atMost('RSS over the last 50,000 of them', 1.05, growthOfMemory, false),
  atMost('RSS at its peak with 5,000 targets, MiB', 256, peakOfLargeFleet, false),
  atMost('start to first good scrape', 1.5, toFloor('start', START_CELL, 'startMs')),
  atMost('CPU of the exporter’s own metrics', 0.25, ownMetrics),
];

/**
 * @param {number} many
 * @param {number} few
 * @param {Mode} mode
 * @returns {Values}
 */
function growth(many, few, mode) {
  const cpu = (/** @type {number} */ models) => ({
    section: 'load',
    cell: cellName({ models, connections: 1, mode }),
    figure: 'cpuMs',
    contestant: EXPORTER,
  });
  return (runs) => ratios(byRound(runs, cpu(many)), byRound(runs, cpu(few)));
}

/** @type {Values} */
function ownMetrics(runs) {
  const cell = cellName({ models: 10, connections: 1, mode: 'unchanged' });
  const cpu = (/** @type {string} */ contestant) =>
    byRound(runs, { section: 'load', cell, figure: 'cpuMs', contestant });
  const without = cpu(EXPORTER);
  const onTop = [...cpu(WITH_OWN_METRICS)].map(
    /** @returns {[number, number]} */ ([round, ms]) => [round, ms - (without.get(round) ?? Number.NaN)],
  );
  return ratios(new Map(onTop), cpu(FLOOR));
}

/** @type {Values} */
function growthOfMemory(runs) {
  const what = { section: 'memory', cell: MEMORY_CELL, figure: 'growth', contestant: EXPORTER };
  return [...byRound(runs, what).values()];
}

/** @type {Values} */
function peakOfLargeFleet(runs) {
  const what = {
    section: 'fleet',
    cell: LARGE_FLEET_CELL,
    figure: 'peakRssMiB',
    contestant: EXPORTER,
  };
  return [...byRound(runs, what).values()];
}

/** @type {Values} */
function worstShareOfOthers(runs) {
  const shares = runs.flatMap(({ section, contestant, figures: { othersShare } }) =>
    section === 'load' && contestant === EXPORTER && othersShare !== undefined ? [othersShare] : [],
  );
  return shares.length === 0 ? [] : [Math.max(...shares)];
}
