/** Keeps a text of any length in bounded memory: whole while it is short, else how it begins and how it ends. */

/** Parsing as much takes less than a millisecond, in which no stream goes on. */
const MAX_WHOLE_BYTES = 64 * 1024;

/** Names, end marks and errors come first in Ollama's answers, … */
const HEAD_BYTES = 4 * 1024;
/** … and all figures after what is long: `response`, `context`, `embeddings`, `output`. */
const TAIL_BYTES = 16 * 1024;

/** Else a text that comes byte by byte would take a hundred times its length. */
const MAX_PIECES = 128;

export class Ends {
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Of a text that is no longer whole. */
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

  /** All of it; undefined where it is too long. */
  get whole(): Buffer | undefined {
    return this.#head === undefined ? Buffer.concat(this.#pieces) : undefined;
  }

  /** How it begins and how it ends, each byte a character; they overlap where it is short. */
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
