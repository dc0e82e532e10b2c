import { expect, test } from 'vitest';
import { FAMILIES } from '../../src/metrics/families.ts';
import { codeBlocks, PAGES, readPage, section } from '../markdown.ts';

const README = readPage('README.md');

test('the README fits on one page', () => {
  expect(README.split('\n').length).toBeLessThanOrEqual(110);
});

test('the excerpt shows existing metrics with their labels', () => {
  const excerpt = codeBlocks(section(README, 'What you get'), '')[0]?.trimEnd().split('\n') ?? [];
  expect(excerpt.length).toBeGreaterThan(5);
  for (const line of excerpt) {
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    const metric = FAMILIES.find((candidate) => candidate.name === name);
    expect(
      [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label),
      line,
    ).toEqual(metric?.labelNames);
  }
});

test.each(PAGES.filter((page) => page !== 'README.md'))('the README links to %s', (page) => {
  expect(README).toContain(`](${page})`);
});
