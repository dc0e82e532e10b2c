/** Formats the results as text, and checks them against the budgets. */

/** With ×, as a ratio to the floor. */
const BUDGETS = /** @type {const} */ ([
  ['10 models, 1 connection, unchanged', 'exporter', 'perSecond', '≥', 0.4, '×'],
  ['10 models, 1 connection, unchanged', 'exporter', 'cpuMs', '≤', 3.2, '×'],
  ['10 models, 256 connections, unchanged', 'exporter', 'perSecond', '≥', 1.5, '×'],
  ['10 models, 1 connection, changing', 'exporter', 'cpuMs', '≤', 1, ''],
  ['10 models, 1 connection, changing', 'exporter+own', 'cpuMs', '≤', 1.6, ''],
  ['1000 models, 1 connection, changing', 'exporter', 'cpuMs', '≤', 25, ''],
  ['start, 10 models', 'exporter+own', 'startMs', '≤', 600, ''],
  ['start, 10 models', 'exporter+own', 'restMiB', '≤', 100, ''],
  ['4 models, 4 runners', 'exporter+runners', 'addedCpuMs', '≤', 1, ''],
  ['1 server of 10 models, every 15 s', 'exporter+own', 'cpuShare', '≤', 0.2, ''],
  ['5000 targets of 10 models, each every 15 s', 'exporter+own', 'peakMiB', '≤', 400, ''],
  ['responses of 1 KB, 1 connection', 'proxy', 'addedP50Ms', '≤', 0.4, ''],
  ['responses of 1 KB, 1 connection', 'proxy', 'cpuToOther', '≤', 1.25, ''],
  ['responses of 1 KB, 1 connection', 'proxy', 'cpuOfMeasuring', '≤', 1.25, ''],
  ['responses of 1 KB, 16 connections', 'proxy', 'cpuToOther', '≤', 1.25, ''],
  ['responses of 1 KB, 16 connections', 'proxy', 'cpuOfMeasuring', '≤', 1.25, ''],
  ['64 streams of 20 chunks/s', 'proxy', 'addedP50Ms', '≤', 0.25, ''],
  ['64 streams of 20 chunks/s', 'proxy', 'addedFirstMs', '≤', 2, ''],
  ['64 streams of 20 chunks/s', 'proxy', 'cpuOfMeasuring', '≤', 1.25, ''],
  ['500 streams of 20 chunks/s', 'proxy', 'addedP50Ms', '≤', 0.5, ''],
  ['500 streams of 20 chunks/s', 'proxy', 'addedP99Ms', '≤', 15, ''],
  ['500 streams of 20 chunks/s', 'proxy', 'cpuToOther', '≤', 1.75, ''],
  ['500 streams of 20 chunks/s', 'proxy', 'cpuOfMeasuring', '≤', 1.25, ''],
  ['1000 streams of 5 chunks/s', 'proxy', 'grownMiB', '≤', 62.5, ''],
  ['a response of 100 MiB', 'proxy', 'grownMiB', '≤', 80, ''],
  ['a response of 100 MiB that is not read', 'proxy', 'grownMiB', '≤', 16, ''],
  ['an upload of 1 GiB', 'proxy', 'grownMiB', '≤', 48, ''],
]);

/** @type {Readonly<Record<string, readonly [unit: string, digits: number]>>} */
const FIGURES = {
  perSecond: ['scrapes/s', 0],
  cpuMs: ['ms CPU per scrape', 3],
  addedCpuMs: ['ms CPU more for the runners', 3],
  p99Ms: ['ms p99', 2],
  bad: ['not a good 200', 0],
  generatorShare: ['% CPU of the generator', 0],
  startMs: ['ms to the first good scrape', 0],
  restMiB: ['MiB at rest', 0],
  cpuShare: ['% of a core', 2],
  peakMiB: ['MiB at the peak', 0],
  mostAtOnce: ['scrapes at once', 0],
  halfMiB: ['MiB after half', 0],
  fullMiB: ['MiB after all', 0],
  p50Ms: ['ms p50', 3],
  firstMs: ['ms p50 before the first chunk', 2],
  addedP50Ms: ['ms p50 added', 3],
  addedP99Ms: ['ms p99 added', 2],
  addedFirstMs: ['ms p50 added before the first chunk', 2],
  cpuUs: ['µs CPU each', 1],
  cpuOfMeasuring: ['× CPU, measuring ÷ not measuring', 2],
  cpuToOther: ['× CPU of the other proxy', 2],
  grownMiB: ['MiB more at the peak', 0],
};

/** @param {readonly import('./summary.mjs').Row[]} rows */
export function figuresTable(rows) {
  const lines = rows.map(({ contestant, medians, toFloor }) => [
    `  ${contestant}`,
    ...Object.entries(medians).map(([figure, value]) => textOf(figure, value, toFloor[figure])),
  ]);
  return aligned(lines).map((line, n) =>
    rows[n]?.title === rows[n - 1]?.title ? line : `${rows[n]?.title}\n${line}`,
  );
}

/** @type {(figure: string, value: number, ratio?: import('./summary.mjs').Row['toFloor'][string]) => string} */
function textOf(figure, value, ratio) {
  if (Number.isNaN(value)) {
    return '';
  }
  const [unit = figure, digits = 2] = FIGURES[figure] ?? [];
  const [middle, min, max] = [ratio?.median, ratio?.min, ratio?.max].map((number) => number?.toFixed(2));
  return `${value.toFixed(digits)} ${unit}${ratio ? ` ×${middle} (${min}–${max})` : ''}`;
}

/**
 * @param {readonly import('./summary.mjs').Row[]} rows
 * @returns {string[]} a line for each budget whose conditions were measured
 */
export function judged(rows) {
  const lines = BUDGETS.flatMap(([title, contestant, figure, sense, limit, unit]) => {
    const row = rows.find((each) => each.title === title && each.contestant === contestant);
    if (row?.medians[figure] === undefined) {
      return [];
    }
    const value = (unit === '×' ? row.toFloor[figure]?.median : row.medians[figure]) ?? Number.NaN;
    const pass = sense === '≤' ? value <= limit : value >= limit;
    const what = `${title}, ${contestant}: ${FIGURES[figure]?.[0]}`;
    return [[pass ? 'pass' : 'MISS', what, `${value.toFixed(2)}${unit}`, `${sense} ${limit}${unit}`]];
  });
  return aligned(lines);
}

/** @param {ReadonlyArray<readonly string[]>} lines */
function aligned(lines) {
  const widthOf = (/** @type {number} */ column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0));
  return lines.map((line) =>
    line
      .map((text, column) => text.padEnd(widthOf(column) + 2))
      .join('')
      .trimEnd(),
  );
}
