/** Parses the start of a stream: the model that responds, and the time of its first content. */

/** Twice the length of a name and the text before it. */
const MAX_CHARACTERS = 4_096;
/** Maximum length of a key and the quote of its value in the previous chunk. */
const MAX_KEY = 64;

/** Quotes inside a JSON string are escaped, so this is always a key. */
const MODEL = /"model":\s?("(?:[^"\\]|\\.)+")/;

/** The keys of all APIs: `response`, `thinking` in /api, `content`, `text` in both, `delta` in /v1/responses, … */
const CONTENT =
  /"(?:response|content|thinking|text|delta|reasoning|reasoning_content|partial_json)":\s?"[^"]|"tool_calls":\s?\[\{/;

export class Beginning {
  #text = '';
  #model: string | undefined;
  #firstContentMs: number | undefined;
  #done = false;

  /** As written in the stream; undefined if its start has none. */
  get model(): string | undefined {
    return this.#model;
  }

  /** The time of the first content; undefined before. */
  get firstContentMs(): number | undefined {
    return this.#firstContentMs;
  }

  /** Does nothing once both are known. */
  push(chunk: Buffer, now: () => number): void {
    if (this.#done) {
      return;
    }
    this.#text += chunk.toString('latin1');
    this.#model ??= modelIn(this.#text);
    if (this.#firstContentMs === undefined && CONTENT.test(this.#text)) {
      this.#firstContentMs = now();
    }
    const gaveUpModel = this.#model !== undefined || this.#text.length > MAX_CHARACTERS;
    this.#done = gaveUpModel && this.#firstContentMs !== undefined;
    if (this.#done) {
      this.#text = '';
    } else if (gaveUpModel) {
      this.#text = this.#text.slice(-MAX_KEY);
    }
  }
}

/** @param text with one character per byte */
export function modelIn(text: string): string | undefined {
  const [, quoted] = MODEL.exec(text) ?? [];
  try {
    const name: unknown = quoted && JSON.parse(Buffer.from(quoted, 'latin1').toString('utf8'));
    return typeof name === 'string' ? name : undefined;
  } catch {
    return undefined;
  }
}
