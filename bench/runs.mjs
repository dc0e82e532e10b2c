/** What was measured, and what follows from it: medians, and ratios to the floor round by round. */
import { FLOOR } from './contestants.mjs';
import { median, ratios, spread } from './statistics.mjs';

/**
 * @typedef {object} Run
 * @property {string} section
 * @property {string} cell what was measured under, the same text for all contestants
 * @property {string} contestant
 * @property {number} round
 * @property {Readonly<Record<string, number>>} figures what could not be told is left out
 *
 * @typedef {object} Summary
 * @property {string} section
 * @property {string} cell
 * @property {string} figure
 * @property {string} contestant
 * @property {number} median
 * @property {import('./statistics.mjs').Spread | undefined} toFloor
 */

/** @param {import('./settings.mjs').Cell} cell */
export function cellName({ models, connections, mode }) {
  return `${count(models, 'model')}, ${count(connections, 'connection')}, ${mode}`;
}

/**
 * @param {number} number
 * @param {string} noun
 */
export function count(number, noun) {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
}

/**
 * @typedef {Pick<Run, 'section' | 'cell'> & { readonly figure: string }} Place
 *
 * @param {readonly Run[]} runs
 * @param {Place & Pick<Run, 'contestant'>} what
 * @returns {ReadonlyMap<number, number>} by round
 */
export function byRound(runs, { section, cell, figure, contestant }) {
  return new Map(
    runs.flatMap((run) => {
      const value = run.figures[figure];
      const fits = run.section === section && run.cell === cell && run.contestant === contestant;
      return fits && value !== undefined ? [[run.round, value]] : [];
    }),
  );
}

/**
 * @param {readonly Run[]} runs
 * @param {Place & Pick<Run, 'contestant'>} what
 * @returns {number[]} one for each round
 */
export function ratiosToFloor(runs, what) {
  return ratios(byRound(runs, what), byRound(runs, { ...what, contestant: FLOOR }));
}

/**
 * @param {readonly Run[]} runs
 * @returns {Summary[]} in the order of the runs
 */
export function summarize(runs) {
  const keys = runs.flatMap(({ section, cell, contestant, figures }) =>
    Object.keys(figures).map((figure) => JSON.stringify({ section, cell, figure, contestant })),
  );
  return [...new Set(keys)].map((key) => {
    /** @type {Omit<Summary, 'median' | 'toFloor'>} */
    const what = JSON.parse(key);
    const toFloor = what.contestant === FLOOR ? undefined : spread(ratiosToFloor(runs, what));
    return { ...what, median: median([...byRound(runs, what).values()]), toFloor };
  });
}
