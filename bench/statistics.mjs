/** Turns figures into what can be said of them where each is noisy: medians, quartiles and ratios of pairs. */

/** @typedef {{ readonly median: number, readonly q1: number, readonly q3: number }} Spread */

/**
 * @param {readonly number[]} values
 * @param {number} share from 0 to 1
 * @returns {number} interpolated between neighbours; NaN of nothing
 */
export function percentile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** @param {readonly number[]} values */
export function median(values) {
  return percentile(values, 0.5);
}

/**
 * @param {readonly number[]} values
 * @returns {Spread | undefined} undefined of nothing
 */
export function spread(values) {
  return values.length === 0
    ? undefined
    : { median: median(values), q1: percentile(values, 0.25), q3: percentile(values, 0.75) };
}

/**
 * @param {ReadonlyMap<number, number>} figures by round
 * @param {ReadonlyMap<number, number>} floor by round
 * @returns {number[]} one ratio for each round that both have; what has no finite ratio is left out
 */
export function ratios(figures, floor) {
  return [...figures]
    .map(([round, figure]) => figure / (floor.get(round) ?? Number.NaN))
    .filter((ratio) => Number.isFinite(ratio));
}
