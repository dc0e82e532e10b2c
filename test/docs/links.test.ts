/** Links within the documentation. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { anchors, PAGES, ROOT, readPage } from '../markdown.ts';

/** Links in Markdown and HTML, without those to other sites. */
const LINK = /(?:\]\(|(?:src|srcset|href)=")(?![a-z]+:)([^)"\s]+)/g;

/** URLs of the project's own pages. */
const HOME = /https:\/\/github\.com\/ollama-exporter\/ollama-exporter\/blob\/main\/([^)>"\s]+)/g;

function problemOf(url: URL): string[] {
  const file = new URL(url.pathname, url);
  if (!existsSync(file)) {
    return [`${url.pathname} does not exist`];
  }
  const known = url.hash === '' || anchors(readFileSync(file, 'utf8')).includes(url.hash.slice(1));
  return known ? [] : [`${url.pathname} has no heading ${url.hash}`];
}

describe.each(PAGES)('%s', (page) => {
  const text = readPage(page);

  test('has links only to existing files and headings', () => {
    const own = [...text.matchAll(LINK)].map(([, link = '']) => new URL(link, new URL(page, ROOT)));
    const home = [...text.matchAll(HOME)].map(([, path = '']) => new URL(path, ROOT));
    expect([...own, ...home].flatMap(problemOf)).toEqual([]);
  });

  test('has unique anchors', () => {
    const all = anchors(text);
    expect(all.filter((anchor, index) => all.indexOf(anchor) !== index)).toEqual([]);
  });
});
