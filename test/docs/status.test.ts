import { expect, test } from 'vitest';
import { COLUMNS } from '../../src/status/model-columns.ts';
import { readPage } from '../markdown.ts';

test('docs/status.md lists exactly the sortable columns', () => {
  const [, list = ''] =
    /^\| `sort` \| the column to sort by: (.*?)\. /m.exec(readPage('docs/status.md')) ?? [];
  expect([...list.matchAll(/`([a-z]+)`/g)].map(([, key]) => key)).toEqual(COLUMNS.map(({ key }) => key));
});
