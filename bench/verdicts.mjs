/** Says whether goals are met, and how far away those are that aren't. */
import { spread } from './statistics.mjs';

/**
 * @typedef {object} Limit
 * @property {string} title
 * @property {'at least' | 'at most'} sense
 * @property {number} limit
 * @property {boolean} toFloor whether it is for ratios to the floor
 *
 * @typedef {Limit & { readonly values: (runs: readonly import('./runs.mjs').Run[]) => readonly number[] }} Goal
 *   values: one for each round
 *
 * @typedef {object} Outcome
 * @property {import('./statistics.mjs').Spread} [value] not there where nothing was measured
 * @property {number} [missedBy] 0 where it is met
 *
 * @typedef {Limit & Outcome} Verdict
 */

/**
 * @param {readonly Goal[]} goals
 * @param {readonly import('./runs.mjs').Run[]} runs
 * @returns {Verdict[]}
 */
export function judge(goals, runs) {
  return goals.map(({ values, ...limit }) => {
    const value = spread(values(runs));
    return value === undefined ? limit : { ...limit, value, missedBy: distance(limit, value.median) };
  });
}

/**
 * @param {Limit} limit
 * @param {number} value
 */
function distance({ sense, limit }, value) {
  return Math.max(0, sense === 'at least' ? limit - value : value - limit);
}

/** @param {Limit} limit */
export function limitText({ sense, limit }) {
  return `${sense === 'at least' ? '≥' : '≤'} ${limit}`;
}

/** @param {Verdict} verdict */
export function outcomeText({ missedBy }) {
  if (missedBy === undefined) {
    return 'not measured';
  }
  return missedBy === 0 ? 'met' : `missed by ${missedBy.toFixed(2)}`;
}
