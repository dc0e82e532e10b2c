/** Sizes and times of the exporter: stated twice, one of them is out of date one day. */
import { expect, test } from 'vitest';
import { PAGES, readPage } from '../markdown.ts';

/** As prose writes them. Values of options have no space (`24GiB`), and times of Ollama are seconds and minutes. */
const FIGURE = /\d[\d.,]* (?:KiB|MiB|ms)\b/g;

test('a figure in KiB, MiB or ms is in one document only; others link to it', () => {
  const pagesOf = new Map<string, ReadonlySet<string>>();
  for (const page of PAGES) {
    for (const [figure] of readPage(page).matchAll(FIGURE)) {
      pagesOf.set(figure, new Set([...(pagesOf.get(figure) ?? []), page]));
    }
  }
  expect(pagesOf.size).toBeGreaterThan(10);
  expect([...pagesOf].filter(([, pages]) => pages.size > 1)).toEqual([]);
});
