/** Each size and time of the exporter is documented once, so that copies do not become outdated. */
import { expect, test } from 'vitest';
import { PAGES, readPage } from '../markdown.ts';

/** As written in prose. Values of options have no space (`24GiB`), and times of Ollama are seconds and minutes. */
const FIGURE = /\d[\d.,]* (?:KiB|MiB|ms)\b/g;

test('each figure in KiB, MiB or ms is in one document only', () => {
  const pagesOf = new Map<string, ReadonlySet<string>>();
  for (const page of PAGES) {
    for (const [figure] of readPage(page).matchAll(FIGURE)) {
      pagesOf.set(figure, new Set([...(pagesOf.get(figure) ?? []), page]));
    }
  }
  expect(pagesOf.size).toBeGreaterThan(10);
  expect([...pagesOf].filter(([, pages]) => pages.size > 1)).toEqual([]);
});
