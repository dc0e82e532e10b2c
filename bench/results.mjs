/** The results as JSON: a run a line, so that one can read them. */

/**
 * @typedef {object} Results
 * @property {string} date
 * @property {ReturnType<typeof import('./machine.mjs').machine>} machine
 * @property {ReturnType<typeof import('./machine.mjs').versions>} versions
 * @property {import('./settings.mjs').Settings} settings
 * @property {readonly import('./verdicts.mjs').Verdict[]} goals
 * @property {readonly import('./runs.mjs').Summary[]} summary
 * @property {readonly import('./runs.mjs').Run[]} runs
 */

/**
 * @param {Results} results
 * @returns {string}
 */
export function resultsText(results) {
  const entries = Object.entries(results).map(([key, value]) => {
    const text = Array.isArray(value) ? `[\n${value.map(inShort).join(',\n')}\n]` : inShort(value);
    return `${JSON.stringify(key)}: ${text}`;
  });
  return `{\n${entries.join(',\n')}\n}\n`;
}

/** @param {unknown} value */
function inShort(value) {
  return JSON.stringify(value, (_key, part) =>
    typeof part === 'number' ? Number(part.toPrecision(6)) : part,
  );
}
