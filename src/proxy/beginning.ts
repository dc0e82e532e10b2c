/** Looks into how a stream begins: which model answers, and when its first piece with content came. */

/** Twice what a name and what is before it take. */
const MAX_CHARACTERS = 4_096;
/** What a key and the quote of its value may have of themselves in the chunk before. */
const MAX_KEY = 64;

/** Within a JSON text each quote is escaped, so that this is a key, whatever a model or a user has written. */
const MODEL = /"model":\s?("(?:[^"\\]|\\.)+")/;

/** By the keys of all APIs: `response` and `thinking` in /api, `content` and `text` in both, `delta` in /v1/responses, … */
const CONTENT =
  /"(?:response|content|thinking|text|delta|reasoning|reasoning_content|partial_json)":\s?"[^"]|"tool_calls":\s?\[\{/;

export class Beginning {
  #text = '';
  #model: string | undefined;
  #firstContentMs: number | undefined;
  #done = false;

  /** As the stream writes it; undefined where its beginning has none. */
  get model(): string | undefined {
    return this.#model;
  }

  /** When the first piece with content had come; undefined before that. */
  get firstContentMs(): number | undefined {
    return this.#firstContentMs;
  }

  /** Costs nothing once both are known. */
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

/** @param text each byte a character */
export function modelIn(text: string): string | undefined {
  const [, quoted] = MODEL.exec(text) ?? [];
  try {
    const name: unknown = quoted && JSON.parse(Buffer.from(quoted, 'latin1').toString('utf8'));
    return typeof name === 'string' ? name : undefined;
  } catch {
    return undefined;
  }
}
