/** Keeps a text of any length in bounded memory: whole if it is short, otherwise only its start and end. */

/** Parsing this takes less than a millisecond, during which the event loop is blocked. */
const MAX_WHOLE_BYTES = 64 * 1024;

/** Names, end marks and errors are at the start of Ollama's responses, … */
const HEAD_BYTES = 4 * 1024;
/** … and all counts are after the long fields: `response`, `context`, `embeddings`, `output`. */
const TAIL_BYTES = 16 * 1024;

/** Otherwise a text that arrives byte by byte would take a hundred times its length. */
const MAX_PIECES = 128;

export class Ends {
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** The start of a text that is no longer kept whole. */
  #head: Buffer | undefined;

  push(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#pieces.length > MAX_PIECES) {
      this.#merge();
    }
    if (this.#head === undefined && this.#bytes > MAX_WHOLE_BYTES) {
      this.#head = Buffer.from(Buffer.concat(this.#pieces).subarray(0, HEAD_BYTES));
    }
    if (this.#head !== undefined) {
      this.#forget();
    }
  }

  /** The whole text; undefined if it is too long. */
  get whole(): Buffer | undefined {
    return this.#head === undefined ? Buffer.concat(this.#pieces) : undefined;
  }

  /** Its start and end, one character per byte; they overlap if it is short. */
  get ends(): { readonly head: string; readonly tail: string } {
    const kept = Buffer.concat(this.#pieces);
    const head = this.#head ?? kept.subarray(0, HEAD_BYTES);
    return { head: head.toString('latin1'), tail: kept.toString('latin1') };
  }

  #merge(): void {
    const kept = Buffer.concat(this.#pieces);
    const merged = this.#head === undefined ? kept : Buffer.from(kept.subarray(-TAIL_BYTES));
    this.#pieces = [merged];
    this.#bytes = merged.length;
  }

  #forget(): void {
    for (
      let [oldest] = this.#pieces;
      oldest !== undefined && this.#bytes - oldest.length >= TAIL_BYTES;
      [oldest] = this.#pieces
    ) {
      this.#pieces.shift();
      this.#bytes -= oldest.length;
    }
  }
}
