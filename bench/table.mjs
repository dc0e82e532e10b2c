/** Sets what was found as text: a row a figure, a column a contestant. */
import { FIGURES } from './figures.mjs';
import { limitText, outcomeText } from './verdicts.mjs';

/** @type {Readonly<Record<string, string>>} */
const SECTION_TITLES = {
  load: 'Under load',
  start: 'Start and exit',
  steady: 'At rest',
  fleet: 'Fleet',
  gzip: 'gzip',
  memory: 'Memory',
};

/** What follows from other rows. */
const LEFT_OUT = ['load cpuShare', 'load bytes', 'fleet bytes', 'fleet cpuMs'];

/**
 * @param {readonly import('./runs.mjs').Summary[]} summaries
 * @returns {string}
 */
export function tableOf(summaries) {
  const shown = summaries.filter(isShown);
  const contestants = unique(shown.map(({ contestant }) => contestant));
  const lines = [['', ...contestants]];
  const most = (/** @type {string} */ share) =>
    Math.round(
      Math.max(0, ...summaries.filter(({ figure }) => figure === share).map(({ median }) => median)),
    );
  for (const section of unique(shown.map((summary) => summary.section))) {
    const ofSection = shown.filter((summary) => summary.section === section);
    for (const cell of unique(ofSection.map((summary) => summary.cell))) {
      const ofCell = ofSection.filter((summary) => summary.cell === cell);
      lines.push([], [`${SECTION_TITLES[section]}: ${cell}`]);
      for (const figure of unique(ofCell.map((summary) => summary.figure))) {
        const cells = contestants.map((name) =>
          cellOf(ofCell.find((summary) => summary.figure === figure && summary.contestant === name)),
        );
        lines.push([`  ${FIGURES[figure]?.[0] ?? figure}`, ...cells]);
      }
    }
  }
  return [
    aligned(lines),
    'Behind a figure: its ratio to the floor, median of the rounds (quartiles).',
    `At most, of a core: load generator ${most('loadShare')} %, simulated Ollama ${most('ollamaShare')} %.\n`,
  ].join('\n');
}

/** @param {import('./runs.mjs').Summary} summary */
function isShown({ section, figure, median }) {
  const noneFailed = figure === 'othersShare' && median === 0;
  return figure in FIGURES && !LEFT_OUT.includes(`${section} ${figure}`) && !noneFailed;
}

/** @param {import('./runs.mjs').Summary | undefined} summary */
function cellOf(summary) {
  if (summary === undefined) {
    return '';
  }
  const { median, toFloor, figure } = summary;
  const digits = FIGURES[figure]?.[1] ?? 2;
  const value = median.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return toFloor === undefined ? value : `${value}  ×${ratioText(toFloor)}`;
}

/** @param {import('./statistics.mjs').Spread} spread */
function ratioText({ median, q1, q3 }) {
  return `${median.toFixed(2)} (${q1.toFixed(2)}–${q3.toFixed(2)})`;
}

/**
 * @param {readonly import('./verdicts.mjs').Verdict[]} verdicts
 * @returns {string}
 */
export function goalsTable(verdicts) {
  return aligned([
    ['Goal, as a ratio to the floor, 10 models, unless said', '', '', ''],
    ...verdicts.map((verdict) => [
      verdict.title,
      limitText(verdict),
      verdict.value === undefined ? '' : ratioText(verdict.value),
      outcomeText(verdict),
    ]),
  ]);
}

/**
 * @param {ReadonlyArray<readonly string[]>} lines those of one text alone are headings
 * @returns {string}
 */
function aligned(lines) {
  const rows = lines.filter((line) => line.length > 1);
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return lines
    .map((line) =>
      line.length > 1
        ? line
            .map((text, column) => text.padEnd(widths[column] ?? 0))
            .join('   ')
            .trimEnd()
        : line.join(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** @param {readonly string[]} texts */
function unique(texts) {
  return [...new Set(texts)];
}
