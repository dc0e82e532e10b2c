/** Skips interim responses (RFC 9110, 15.2): undici closes the connection on an unrequested `100 Continue`. */
import type { Socket } from 'node:net';

const START = 'HTTP/1.1 1';
/** 101 is not an interim response: after it, another protocol starts. */
const STATUS = /^HTTP\/1\.1 1(?!01)\d\d/;
const RESPONSE = /^HTTP\/1\.1 1(?!01)\d\d[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n/;
const BLANK_LINE = /\n\r?\n/;
const STATUS_LENGTH = 'HTTP/1.1 100'.length;
/** If a status line arrives in pieces, undici keeps only the last one. */
const PART_OF_STATUS_LINE = /^(?:H|HT|HTT|HTTP|HTTP\/|HTTP\/1|HTTP\/1\.|HTTP\/1\.[01](?: [^\n]*)?)$/;
/** The same as undici's limit for headers. */
const MAX_BYTES = 16_384;

/** Shared: each idle connection keeps it until its next response. */
const NOTHING: Buffer = Buffer.alloc(0);

/** Must be called before undici has the socket, so that this listener runs first. */
export function skipInterimResponses(socket: Socket): void {
  let held = NOTHING;
  let respondedBytes = 0;
  const passOn = (bytes: Buffer) => {
    respondedBytes = socket.bytesWritten;
    socket.unshift(bytes);
    held = NOTHING;
  };
  const take = (chunk: Buffer) => {
    const before = held.length;
    held = Buffer.concat([held, chunk]);
    if (!canEnd(held, before)) {
      return;
    }
    const text = withoutInterim(held.toString('latin1'));
    held = held.subarray(held.length - text.length);
    const isPart = mayBeInterim(text) || PART_OF_STATUS_LINE.test(text);
    if (!isPart || held.length > MAX_BYTES) {
      passOn(held);
    }
  };
  socket.on('readable', () => {
    // No request was sent since the last response started, so this is its body.
    if (socket.bytesWritten === respondedBytes) {
      return;
    }
    const chunk: Buffer | null = socket.read();
    if (chunk === null) {
      return;
    }
    // A complete status line: if it arrives in pieces, undici keeps only the last one.
    const isUsual =
      held.length === 0 && chunk.includes('\n') && !mayBeInterim(chunk.toString('latin1', 0, STATUS_LENGTH));
    (isUsual ? passOn : take)(chunk);
  });
}

/** Otherwise headers that arrive byte by byte would be searched from the start each time. */
function canEnd(held: Buffer, before: number): boolean {
  return (
    before < STATUS_LENGTH || held.length > MAX_BYTES || BLANK_LINE.test(held.toString('latin1', before - 3))
  );
}

function withoutInterim(text: string): string {
  let rest = text;
  for (let found = RESPONSE.exec(rest); found !== null; found = RESPONSE.exec(rest)) {
    rest = rest.slice(found[0].length);
  }
  return rest;
}

/** Whether this is, or may become, the start of an interim response. */
function mayBeInterim(text: string): boolean {
  return text.length < STATUS_LENGTH ? START.startsWith(text.slice(0, START.length)) : STATUS.test(text);
}
