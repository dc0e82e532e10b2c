/** The labels of a series, and how the text format writes them. */

export class Labels {
  readonly pairs: Readonly<Record<string, string>>;
  #text: string | undefined;

  constructor(pairs: Readonly<Record<string, string>>) {
    this.pairs = pairs;
  }

  /** `{model="llama3.2:1b",quantization="Q8_0"}`, or nothing; made once, as a model has six series with the same. */
  get text(): string {
    this.#text ??= toText(this.pairs);
    return this.#text;
  }
}

function toText(pairs: Readonly<Record<string, string>>): string {
  const parts = Object.entries(pairs).map(([name, value]) => `${name}="${escaped(value)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

/** Exposition formats, "text format details": these three, and nothing else. */
function escaped(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replaceAll(/[\\"\n]/g, (character) => ESCAPES[character] ?? '')
    : value;
}
