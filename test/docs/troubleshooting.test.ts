import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ROOT, readPage, table } from '../markdown.ts';

const PAGE = readPage('docs/troubleshooting.md');
const SOURCES = readdirSync(new URL('src/', ROOT), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(new URL(`src/${name}`, ROOT), 'utf8'));

test.each(table(PAGE, 'Tools'))('the documented log message %s exists', (message = '') => {
  expect(SOURCES.filter((source) => source.includes(`'${message}'`))).toHaveLength(1);
});

test('every reason for a failed request has a remedy', () => {
  const documented = table(PAGE, "Ollama can't be scraped")
    .map(([seen]) => seen)
    .join();
  const reasons = table(readPage('docs/metrics.md'), 'Why a request failed').map(([reason = '']) => reason);
  expect(reasons.length).toBeGreaterThan(5);
  expect(reasons.filter((reason) => !new RegExp(`\\b${reason}\\b`).test(documented))).toEqual([]);
});
