/** Sorts the rows of a table by the `sort` parameter of the page, and renders its headings as links that set it. */
import { Html, html } from './html.ts';

export interface Column<Row> {
  /** Query parameter: `?sort=vram`, or `?sort=-vram` for the reverse. */
  readonly key: string;
  readonly heading: string;
  readonly kind?: 'number';
  /** A click on the heading sorts the largest first. */
  readonly largestFirst?: boolean;
  readonly value: (row: Row) => string | number;
}

interface Sorting<Row> {
  readonly column: Column<Row>;
  readonly reverse: boolean;
}

type Columns<Row> = readonly [Column<Row>, ...Column<Row>[]];

const COLLATOR = new Intl.Collator('en', { numeric: true });

/** By the first column if the query has none; equal rows are sorted by the first column. */
export function sortRows<Row>(rows: readonly Row[], columns: Columns<Row>, search: string): readonly Row[] {
  const [first] = columns;
  const { column, reverse } = sortingOf(columns, search);
  const direction = isDescending(column, reverse) ? -1 : 1;
  return [...rows]
    .sort((a, b) => compare(first.value(a), first.value(b)))
    .sort((a, b) => direction * compare(column.value(a), column.value(b)));
}

/** The cells of the row of headings. */
export function sortableHeadings<Row>(columns: Columns<Row>, search: string): readonly Html[] {
  const current = sortingOf(columns, search);
  return columns.map((column) => {
    const isCurrent = column === current.column;
    const order = isDescending(column, current.reverse) ? 'descending' : 'ascending';
    const reverse = isCurrent && !current.reverse;
    const sort = column === columns[0] && !reverse ? undefined : `${reverse ? '-' : ''}${column.key}`;
    return html`<th scope="col" role="columnheader"${classOf(column)}${isCurrent ? html` aria-sort="${order}"` : ''}><a href="${sortLink(search, sort)}">${column.heading}</a></th>`;
  });
}

export function classOf({ kind, key }: Pick<Column<never>, 'kind' | 'key'>): Html {
  return new Html(` class="${kind === undefined ? key : `${key} ${kind}`}"`);
}

function sortingOf<Row>(columns: Columns<Row>, search: string): Sorting<Row> {
  const sort = new URLSearchParams(search).get('sort') ?? '';
  const reverse = sort.startsWith('-');
  const key = reverse ? sort.slice(1) : sort;
  const column = columns.find((candidate) => candidate.key === key);
  return column === undefined ? { column: columns[0], reverse: false } : { column, reverse };
}

function isDescending(
  { largestFirst = false }: Pick<Column<never>, 'largestFirst'>,
  reverse: boolean,
): boolean {
  return largestFirst !== reverse;
}

function compare(a: string | number, b: string | number): number {
  return typeof a === 'number' && typeof b === 'number'
    ? Number(a > b) - Number(a < b)
    : COLLATOR.compare(String(a), String(b));
}

function sortLink(search: string, sort: string | undefined): string {
  const query = new URLSearchParams(search);
  query.delete('sort');
  if (sort !== undefined) {
    query.set('sort', sort);
  }
  return query.size === 0 ? './' : `?${query}`;
}
