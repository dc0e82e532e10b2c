/** Draws docs/performance.svg from the results of the bench: `npm run bench:plot`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { limitText, outcomeText } from './verdicts.mjs';

const ROW = 22;
const TOP = 62;
const LEFT = 300;
const PLOT = 320;
const WIDTH = 880;

/** Readable on light and dark; which of the two it is, an image can't learn from the page around it. */
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #59636e; }
  .title { font-size: 14px; font-weight: 600; }
  .met { fill: #2f81c7; } .missed { fill: #d9822b; }
  .floor { stroke: #8b949e; stroke-dasharray: 3 3; }
  .line, .goal { stroke: #59636e; } .goal { stroke-width: 3; }
  @media (prefers-color-scheme: dark) { text { fill: #b1bac4; } .line, .goal { stroke: #e6edf3; } }
`;

/**
 * @param {import('./results.mjs').Results} results
 * @returns {string}
 */
export function plotOf({ goals, machine, versions, date }) {
  const shown = goals.filter(({ toFloor, value }) => toFloor && value !== undefined);
  const scale = scaleOf(shown.flatMap(({ value, limit }) => [limit, value?.median ?? 1, value?.q3 ?? 1]));
  const bottom = TOP + shown.length * ROW;
  const height = bottom + 40;
  const source = `${date.slice(0, 10)}, ${machine.cores} × ${machine.cpu}, Node.js ${versions.node}, exporter ${versions.exporter} (${versions.revision.slice(0, 7)})`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Ratios of the exporter's figures to the floor's, with the goals">
<style>${STYLE}</style>
<text class="title" x="10" y="20">The exporter's figures as ratios to the floor's</text>
<text x="10" y="40">Bar: median of the rounds, with quartiles. Thick mark: the goal. 10 models unless said.</text>
${scale.ticks.map((tick) => axis(tick, scale.x(tick), bottom)).join('\n')}
${shown.map((verdict, index) => row(verdict, scale.x, TOP + index * ROW)).join('\n')}
<text x="10" y="${height - 6}">${escapeXml(source)}</text>
</svg>
`;
}

/**
 * Logarithmic: half of the floor is as far from it as its double.
 *
 * @param {readonly number[]} values
 */
function scaleOf(values) {
  const logs = values.filter((value) => value > 0).map(Math.log2);
  const [first, last] = [Math.floor(Math.min(-1, ...logs)), Math.ceil(Math.max(1, ...logs))];
  return {
    ticks: Array.from({ length: last - first + 1 }, (_, index) => 2 ** (first + index)),
    /** @param {number} value */
    x: (value) => {
      const share = (Math.log2(Math.max(value, 2 ** first)) - first) / (last - first);
      return Math.round((LEFT + share * PLOT) * 10) / 10;
    },
  };
}

/**
 * @param {number} tick
 * @param {number} x
 * @param {number} bottom
 */
function axis(tick, x, bottom) {
  const label = tick < 1 ? `1/${1 / tick}` : String(tick);
  const line =
    tick === 1 ? `<line class="floor" x1="${x}" x2="${x}" y1="${TOP - 4}" y2="${bottom + 2}"/>` : '';
  return `${line}<text x="${x}" y="${bottom + 15}" text-anchor="middle">${label}</text>`;
}

/**
 * @param {import('./verdicts.mjs').Verdict} verdict
 * @param {(value: number) => number} x
 * @param {number} y
 */
function row(verdict, x, y) {
  const { title, limit, missedBy, value = { median: 1, q1: 1, q3: 1 } } = verdict;
  const [one, median, goal] = [x(1), x(value.median), x(limit)];
  const middle = y + ROW / 2;
  const text = `${value.median.toFixed(2)} (${limitText(verdict)}) ${outcomeText(verdict)}`;
  return [
    `<text x="${LEFT - 10}" y="${middle + 4}" text-anchor="end">${escapeXml(title)}</text>`,
    `<rect class="${missedBy === 0 ? 'met' : 'missed'}" x="${Math.min(one, median)}" y="${y + 5}" width="${Math.max(1, Math.abs(median - one)).toFixed(1)}" height="${ROW - 10}"/>`,
    `<line class="line" x1="${x(value.q1)}" x2="${x(value.q3)}" y1="${middle}" y2="${middle}"/>`,
    `<line class="goal" x1="${goal}" x2="${goal}" y1="${y + 2}" y2="${y + ROW - 2}"/>`,
    `<text x="${LEFT + PLOT + 12}" y="${middle + 4}">${escapeXml(text)}</text>`,
  ].join('');
}

/** @param {string} text */
function escapeXml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [input = 'bench/results.json', output = 'docs/performance.svg'] = process.argv.slice(2);
  writeFileSync(output, plotOf(JSON.parse(readFileSync(input, 'utf8'))));
}
