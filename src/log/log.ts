/** Creates the logger from level, format and output. */
import { fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import pino, { type Logger } from 'pino';
import type { LogOptions } from './log-options.ts';
import { escapeUnprintable, toLogfmt } from './logfmt.ts';

export interface LogOutput {
  /** @returns false if the lines are lost */
  readonly write: (lines: string) => unknown;
}

/** The keys and their order are those of Prometheus (prometheus/common, promslog). */
export function createLogger({ logLevel, logFormat }: LogOptions, out: LogOutput): Logger {
  const options = {
    level: logLevel,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label.toUpperCase() }), log: cutTexts },
  };
  const format = logFormat === 'json' ? escapeUnprintable : toLogfmt;
  let lost = 0;
  const write = (line: string) => {
    // Written together, since there may be room only for the short one, again and again.
    const text = lost === 0 ? format(line) : format(lostLinesText(lost)) + format(line);
    lost = out.write(text) === false ? lost + 1 : 0;
  };
  return pino(options, { write });
}

/** Untrusted input must not fill the disk. */
const MAX_TEXT_LENGTH = 256;

function cutTexts(fields: object): Record<string, unknown> {
  const cut = (value: unknown) =>
    typeof value === 'string' && value.length > MAX_TEXT_LENGTH
      ? `${value.slice(0, MAX_TEXT_LENGTH)}…`
      : value;
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, cut(value)]));
}

function lostLinesText(lines: number): string {
  const time = new Date().toISOString();
  return `${JSON.stringify({ time, level: 'WARN', msg: 'Log lines were lost before this one', lines })}\n`;
}

/**
 * Writes synchronously, so that nothing is pending at exit. What can't be written at once is lost: neither a full disk
 * nor a reader that has stopped reading may block scrapes.
 */
export function logOutput(fd: number): LogOutput {
  setNonBlocking(fd);
  let rest = Buffer.alloc(0);
  const writeRest = () => {
    try {
      while (rest.length > 0) {
        rest = rest.subarray(writeSync(fd, rest));
      }
      return true;
    } catch {
      return false;
    }
  };
  return {
    write: (line) => {
      if (!writeRest()) {
        return false;
      }
      const whole = Buffer.from(line);
      rest = whole;
      // A pipe may accept only the start of a line longer than 4 KiB: the rest must be written before the next line.
      if (!writeRest() && rest.length === whole.length) {
        rest = Buffer.alloc(0);
        return false;
      }
      return true;
    },
  };
}

/** Makes writes to a full pipe or socket fail; Node.js has no other way to set O_NONBLOCK on an open descriptor. */
function setNonBlocking(fd: number): void {
  const stat = fstatSync(fd);
  if (stat.isFIFO() || stat.isSocket()) {
    new Socket({ fd, readable: false });
  }
}
