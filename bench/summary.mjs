/** Medians of the rounds, and ratios to the floor in the same round. */

/**
 * @typedef {object} Result
 * @property {string} title the conditions
 * @property {string} contestant
 * @property {Record<string, number>[]} rounds figures by name; NaN where something cannot be measured
 *
 * @typedef {ReturnType<typeof summarize>[number]} Row
 */

/** Other values have no meaningful ratio. */
const COMPARED = ['perSecond', 'cpuMs', 'p99Ms', 'startMs', 'restMiB'];

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

/** @param {readonly Result[]} results */
export function summarize(results) {
  return results.map(({ title, contestant, rounds }) => {
    const floor = results.find((result) => result.title === title && result.contestant === 'floor');
    /** @type {Record<string, number>} */
    const medians = {};
    /** @type {Record<string, { median: number, min: number, max: number }>} */
    const toFloor = {};
    for (const figure of Object.keys(rounds[0] ?? {})) {
      const values = rounds.map((figures) => figures[figure] ?? Number.NaN);
      medians[figure] = median(values);
      const ratios = values.map((value, round) => value / (floor?.rounds[round]?.[figure] ?? 0));
      if (contestant !== 'floor' && COMPARED.includes(figure) && ratios.every(Number.isFinite)) {
        toFloor[figure] = { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
      }
    }
    return { title, contestant, medians, toFloor };
  });
}
