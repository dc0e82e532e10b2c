/** How the soak talks to its processes: a line of JSON for each message, over their standard streams. */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

export function say<T extends object>(to: Writable, message: T): void {
  to.write(`${JSON.stringify(message)}\n`);
}

/** @param onEnd called when the other side is gone */
export function hear<T>(from: Readable, onMessage: (message: T) => void, onEnd: () => void = () => {}): void {
  createInterface({ input: from })
    .on('line', (line) => onMessage(JSON.parse(line)))
    .on('close', onEnd);
}
