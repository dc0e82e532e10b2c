/** Functions and constants that all panels use. */

/** Height of a row in Grafana's grid, including the gap below it. */
export const CELL_PX = 38;

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** A name in Grafana's palette → the color of the theme. */
export function color(name: string | undefined): string {
  return name === undefined || name === 'text' ? 'var(--text)' : `var(--${name})`;
}
