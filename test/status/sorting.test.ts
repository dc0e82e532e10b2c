import { describe, expect, test } from 'vitest';
import { type Column, sortableHeadings, sortRows } from '../../src/status/sorting.ts';

interface Animal {
  readonly name: string;
  readonly legs: number;
}

const COLUMNS = [
  { key: 'name', heading: 'Name', value: ({ name }) => name },
  { key: 'legs', heading: 'Legs', value: ({ legs }) => legs, kind: 'number', largestFirst: true },
] as const satisfies readonly Column<Animal>[];

const ANIMALS: readonly Animal[] = [
  { name: 'snake-10', legs: 0 },
  { name: 'Spider', legs: 8 },
  { name: 'dog', legs: 4 },
  { name: 'snake-9', legs: 0 },
  { name: 'cat', legs: 4 },
];

const sortingOf = (search: string) =>
  ({ columns: COLUMNS, parameter: 'sort', query: new URLSearchParams(search) }) as const;

test.each([
  ['', 'cat dog snake-9 snake-10 Spider'],
  ['?target=a', 'cat dog snake-9 snake-10 Spider'],
  ['?sort=-name', 'Spider snake-10 snake-9 dog cat'],
  ['?sort=legs', 'Spider cat dog snake-9 snake-10'],
  ['?sort=-legs', 'snake-9 snake-10 cat dog Spider'],
  ['?sort=wings', 'cat dog snake-9 snake-10 Spider'],
  ['?sort=__proto__', 'cat dog snake-9 snake-10 Spider'],
  ['?sort=-', 'cat dog snake-9 snake-10 Spider'],
])('rows sorted by %j are %s', (search, names) => {
  expect(
    sortRows(ANIMALS, sortingOf(search))
      .map(({ name }) => name)
      .join(' '),
  ).toBe(names);
});

describe('headings', () => {
  const headings = (search: string) => sortableHeadings(sortingOf(search)).map(({ text }) => text);
  const links = (search: string) => headings(search).map((text) => /href="([^"]*)"/.exec(text)?.[1]);

  test('link to their sort order, and the current one to the reverse', () => {
    expect(links('')).toEqual(['?sort=-name', '?sort=legs']);
    expect(links('?sort=-name')).toEqual(['./', '?sort=legs']);
    expect(links('?sort=legs')).toEqual(['./', '?sort=-legs']);
    expect(links('?sort=-legs')).toEqual(['./', '?sort=legs']);
  });

  test('keep the rest of the query', () => {
    expect(links('?target=a%26b&sort=legs&module=blue')).toEqual([
      '?target=a%26b&amp;module=blue',
      '?target=a%26b&amp;module=blue&amp;sort=-legs',
    ]);
  });

  test('mark the current order with aria-sort', () => {
    const orders = (search: string) => headings(search).map((text) => /aria-sort="(\w+)"/.exec(text)?.[1]);
    expect(orders('')).toEqual(['ascending', undefined]);
    expect(orders('?sort=legs')).toEqual([undefined, 'descending']);
    expect(orders('?sort=-legs')).toEqual([undefined, 'ascending']);
  });
});
