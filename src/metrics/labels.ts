/** How the text format writes labels: `{model="llama3.2:1b",quantization="Q8_0"}`. */

export const NO_LABELS = '';

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

/**
 * A label's value as it stands between quotes. Exposition formats, "text format details": these three are escaped, and
 * nothing else.
 */
export function escaped(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replaceAll(/[\\"\n]/g, (character) => ESCAPES[character] ?? '')
    : value;
}
