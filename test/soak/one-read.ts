/** Notices when one exporter reads the same thing twice at a time. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** In which the end of a call that was given up gets here. */
const GIVEN_UP_MS = 250;

interface Read {
  overlapped: boolean;
}

/** @param onOverlap called with who reads what */
export function watchReads(
  onOverlap: (name: string) => void,
): (request: IncomingMessage, response: ServerResponse) => void {
  const openByName = new Map<string, Set<Read>>();
  return ({ headers, url, socket }, response) => {
    const name = `${headers['x-soak']} ${url}`;
    const open = openByName.get(name) ?? new Set<Read>();
    const earlier = [...open];
    for (const other of earlier) {
      other.overlapped = true;
    }
    const read: Read = { overlapped: false };
    openByName.set(name, open.add(read));
    response.once('close', () => open.delete(read));
    // Somebody was still there to be answered.
    response.once('finish', () => read.overlapped && !socket.readableEnded && onOverlap(name));
    if (earlier.length > 0) {
      const stillTwo = () => open.has(read) && earlier.some((other) => open.has(other));
      // After a SIGSTOP the timers come first, and then what arrived in the meantime.
      setTimeout(() => setImmediate(() => stillTwo() && onOverlap(name)), GIVEN_UP_MS);
    }
  };
}
