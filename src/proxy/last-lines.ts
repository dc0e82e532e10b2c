/** Keeps the last lines of a stream, which have all token counts: nothing is decoded or parsed before its end. */
import { Ends } from './ends.ts';

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** A line that arrived in one chunk is a view of it. */
export type Line = Buffer | Ends;

export class LastLines {
  readonly #most: number;
  readonly #lines: Line[] = [];
  /** Whether the next byte starts a line. */
  #ended = true;

  /** @param most maximum number of lines, not counting empty ones */
  constructor(most: number) {
    this.#most = most;
  }

  /** Oldest first; the last one may be incomplete. */
  get lines(): readonly Line[] {
    return this.#lines;
  }

  push(chunk: Buffer): void {
    const length = withoutLineEnds(chunk, chunk.length);
    const begun: Buffer[] = [];
    let end = length;
    while (end > 0 && begun.length < this.#most) {
      const before = chunk.lastIndexOf(LINE_FEED, end - 1);
      if (before === -1) {
        this.#continue(ownCopy(chunk.subarray(0, end)));
        break;
      }
      begun.push(ownCopy(chunk.subarray(before + 1, end)));
      end = withoutLineEnds(chunk, before);
    }
    for (const line of begun.reverse()) {
      this.#add(line);
    }
    const endsLine = length < chunk.length && chunk.includes(LINE_FEED, length);
    this.#ended = endsLine || (this.#ended && length === 0);
  }

  /** Appends the part of a chunk before its first line feed. */
  #continue(piece: Buffer): void {
    const last = this.#ended ? undefined : this.#lines.at(-1);
    if (last === undefined) {
      this.#add(piece);
    } else if (last instanceof Ends) {
      last.push(piece);
    } else {
      const line = new Ends();
      line.push(last);
      line.push(piece);
      this.#lines[this.#lines.length - 1] = line;
    }
  }

  #add(line: Line): void {
    if (this.#lines.length === this.#most) {
      this.#lines.shift();
    }
    this.#lines.push(line);
  }
}

function withoutLineEnds(chunk: Buffer, end: number): number {
  let last = end;
  while (last > 0 && (chunk[last - 1] === LINE_FEED || chunk[last - 1] === CARRIAGE_RETURN)) {
    last -= 1;
  }
  return last;
}

/** A view would keep the whole received chunk in memory, up to 64 KiB per stream. */
function ownCopy(line: Buffer): Buffer {
  return line.length * 4 < line.buffer.byteLength ? Buffer.from(line) : line;
}

/** Longer than the name of an event. */
const BEGINNING_BYTES = 64;

export function beginningOf(line: Line): string {
  const head = line instanceof Ends ? line.ends.head : line.toString('latin1', 0, BEGINNING_BYTES);
  return head.slice(0, BEGINNING_BYTES);
}
