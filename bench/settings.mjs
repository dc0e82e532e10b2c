/** Turns the command line into what is measured, how often and for how long. */
import { parseArgs } from 'node:util';

/**
 * @typedef {object} Cell
 * @property {number} models
 * @property {number} connections
 * @property {import('./bodies.mjs').Mode} mode
 *
 * @typedef {typeof USUAL} Extent
 *
 * @typedef {Extent & {
 *   others: ReadonlyArray<{ readonly name: string, readonly url: string, readonly pid: number | undefined }>,
 *   ollamaPort: number,
 *   output: string,
 * }} Settings
 */

const MODES = /** @type {const} */ (['unchanged', 'changing']);

/** @type {(models: number, connections: readonly number[]) => Cell[]} */
const cells = (models, connections) =>
  MODES.flatMap((mode) => connections.map((count) => ({ models, connections: count, mode })));

const SECTIONS = /** @type {const} */ (['load', 'start', 'steady', 'fleet', 'gzip', 'memory']);

/** About eleven minutes. */
const USUAL = {
  extent: 'usual',
  sections: /** @type {readonly string[]} */ (SECTIONS.filter((section) => section !== 'memory')),
  cells: [...cells(1, [1]), ...cells(10, [1, 16, 256]), ...cells(100, [1]), ...cells(1_000, [1])],
  rounds: 3,
  // By scrapes, since Node.js compiles what has run often enough; a fast one would else be the warmer one.
  warmUpScrapes: 3_000,
  warmUpSeconds: 3,
  seconds: 1.6,
  starts: 10,
  steadySeconds: 120,
  fleetSeconds: 20,
  largeFleetRounds: 3,
  scrapesForMemory: 100_000,
};

/** Two minutes: whether it works, and the order of magnitude. */
const QUICK = {
  ...USUAL,
  extent: 'quick',
  cells: [...cells(10, [1]), ...cells(1_000, [1]), ...cells(10, [16, 256]).slice(0, 2)],
  rounds: 1,
  warmUpScrapes: 1_000,
  warmUpSeconds: 1,
  seconds: 0.8,
  starts: 3,
  steadySeconds: 20,
  fleetSeconds: 3,
  largeFleetRounds: 1,
};

/** All there is, in three quarters of an hour. */
const LONG = {
  ...USUAL,
  extent: 'long',
  sections: SECTIONS,
  cells: [1, 10, 100, 1_000].flatMap((models) => cells(models, [1, 16, 256])),
  warmUpScrapes: 5_000,
  warmUpSeconds: 6,
  seconds: 3,
};

/**
 * @param {readonly string[]} args
 * @returns {Settings}
 * @throws Error where they make no sense
 */
export function parseSettings(args) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      long: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      other: { type: 'string', multiple: true, default: [] },
      pid: { type: 'string', multiple: true, default: [] },
      'ollama-port': { type: 'string', default: '0' },
      output: { type: 'string', default: 'bench/results.json' },
    },
  });
  const port = values['ollama-port'];
  const unknown = values.only.filter((section) => !SECTIONS.some((known) => known === section));
  if (unknown.length > 0) {
    throw new Error(`--only=${unknown[0]}: not one of ${SECTIONS.join(', ')}`);
  }
  if (values.other.length > 0 && port === '0') {
    throw new Error('--other needs --ollama-port: the other exporter has to ask the simulated Ollama there');
  }
  const extent = values.quick ? QUICK : values.long ? LONG : USUAL;
  const pids = new Map(values.pid.map((text) => pair('--pid', text)));
  return {
    ...extent,
    sections: values.only.length > 0 ? values.only : extent.sections,
    rounds: values.rounds === undefined ? extent.rounds : wholeNumber('--rounds', values.rounds),
    others: values.other.map((text) => {
      const [name, url] = pair('--other', text);
      const pid = pids.get(name);
      return { name, url, pid: pid === undefined ? undefined : wholeNumber('--pid', pid) };
    }),
    ollamaPort: port === '0' ? 0 : wholeNumber('--ollama-port', port),
    output: values.output,
  };
}

/**
 * @param {string} option
 * @param {string} text
 * @returns {[string, string]}
 */
function pair(option, text) {
  const [, name, value] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new Error(`${option}=${text}: not of the form name=value`);
  }
  return [name, value];
}

/**
 * @param {string} option
 * @param {string} text
 */
function wholeNumber(option, text) {
  if (!/^[1-9]\d*$/.test(text)) {
    throw new Error(`${option}=${text}: not a whole number above 0`);
  }
  return Number(text);
}
