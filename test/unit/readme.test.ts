import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { METRICS } from '../../src/metrics.ts';
import { OPTION_LIST } from '../../src/options.ts';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The cells of the table under this heading, without the quotes of code. */
function table(heading: string): readonly string[][] {
  const section = README.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| `.*\|$/gm)].map(([line]) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

test('the metrics table names every metric, its type and its labels, in the order of the exposition', () => {
  const documented = table('Metrics').map(([name, type, labels]) => ({ name, type, labels }));
  const exported = METRICS.map(({ name, labelNames }) => ({
    name,
    type: 'gauge',
    labels: labelNames.join(', '),
  }));
  expect(documented).toEqual(exported);
});

test('the options table names every option and its default, in the order of the help', () => {
  const documented = table('Options').map(([flag, fallback]) => ({ flag, fallback }));
  expect(documented).toEqual(OPTION_LIST.map(({ flag, fallback }) => ({ flag: `--${flag}`, fallback })));
});

test('the excerpt shows metrics that exist, with their labels', () => {
  const excerpt =
    README.match(/```\n(ollama_up [^`]*)```/)?.[1]
      ?.trimEnd()
      .split('\n') ?? [];
  expect(excerpt.length).toBeGreaterThan(5);
  for (const line of excerpt) {
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    const metric = METRICS.find((candidate) => candidate.name === name);
    expect(
      [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label),
      line,
    ).toEqual(metric?.labelNames);
  }
});

test('every reason that a call can fail for is explained', () => {
  const source = readFileSync(new URL('../../src/ollama/api-error.ts', import.meta.url), 'utf8');
  const reasons = /FailureReason =\s*([^;]*);/.exec(source)?.[1]?.match(/'(\w+)'/g) ?? [];
  expect(reasons).toHaveLength(9);
  const [, , , explained] = table('Metrics').find(([name]) => name === 'ollama_scrape_error') ?? [];
  for (const reason of reasons) {
    expect(explained).toContain(reason.replaceAll("'", ''));
  }
});
