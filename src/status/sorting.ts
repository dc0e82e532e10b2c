/** Sorts the rows of a table by a query parameter of the page, and renders its headings as links that set it. */
import { Html, html } from './html.ts';

export interface Column<Row> {
  /** Value of the query parameter: `?sort=vram`, or `?sort=-vram` for the reverse. */
  readonly key: string;
  readonly heading: string;
  readonly kind?: 'number';
  /** A click on the heading sorts the largest first. */
  readonly largestFirst?: boolean;
  /** The sort key; null is last in either order. */
  readonly value: (row: Row) => string | number | null;
}

export interface Sorting<Row> {
  /** Query of the page. */
  readonly query: URLSearchParams;
  /** Name of the query parameter. */
  readonly parameter: string;
  /** The first one sorts the rows if the query has none, and rows that are equal. */
  readonly columns: readonly [Column<Row>, ...Column<Row>[]];
}

const COLLATOR = new Intl.Collator('en', { numeric: true });

export function sortRows<Row>(rows: readonly Row[], sorting: Sorting<Row>): readonly Row[] {
  const { column, isDescending } = currentOrder(sorting);
  const [first] = sorting.columns;
  const direction = isDescending ? -1 : 1;
  // Each value is computed once: sorting ten thousand rows uses them a quarter of a million times.
  const keyed = rows.map((row) => ({ row, value: column.value(row), first: first.value(row) }));
  keyed.sort(
    (a, b) =>
      compare(a.value, b.value, direction) || compare(a.first, b.first, column === first ? direction : 1),
  );
  return keyed.map(({ row }) => row);
}

/** The cells of the row of headings. */
export function sortableHeadings<Row>(sorting: Sorting<Row>): readonly Html[] {
  const current = currentOrder(sorting);
  return sorting.columns.map((column) => {
    const isCurrent = column === current.column;
    const order = current.isDescending ? 'descending' : 'ascending';
    const reverse = isCurrent && !current.reverse;
    const isDefault = column === sorting.columns[0] && !reverse;
    const sort = isDefault ? undefined : `${reverse ? '-' : ''}${column.key}`;
    return html`<th scope="col" role="columnheader"${classOf(column)}${isCurrent ? html` aria-sort="${order}"` : ''}><a href="${sortLink(sorting, sort)}">${column.heading}</a></th>`;
  });
}

export function classOf({ kind, key }: Pick<Column<never>, 'kind' | 'key'>): Html {
  return new Html(` class="${kind === undefined ? key : `${key} ${kind}`}"`);
}

function currentOrder<Row>({ query, parameter, columns }: Sorting<Row>) {
  const sort = query.get(parameter) ?? '';
  const named = columns.find(({ key }) => key === sort.replace(/^-/, ''));
  const reverse = named !== undefined && sort.startsWith('-');
  const column = named ?? columns[0];
  return { column, reverse, isDescending: (column.largestFirst ?? false) !== reverse };
}

function compare(a: string | number | null, b: string | number | null, direction: number): number {
  if (a === null || b === null) {
    return Number(a === null) - Number(b === null);
  }
  const order =
    typeof a === 'number' && typeof b === 'number'
      ? Number(a > b) - Number(a < b)
      : COLLATOR.compare(String(a), String(b));
  return direction * order;
}

function sortLink({ query, parameter }: Sorting<never>, sort: string | undefined): string {
  const next = new URLSearchParams(query);
  next.delete(parameter);
  if (sort !== undefined) {
    next.set(parameter, sort);
  }
  return next.size === 0 ? './' : `?${next}`;
}
