/** Turns level, format and a place to write to into the logger. */
import { fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import pino, { type Logger } from 'pino';
import type { LogOptions } from './log-options.ts';
import { escapeUnprintable, toLogfmt } from './logfmt.ts';

export interface LogOutput {
  /** @returns false where the lines are lost */
  readonly write: (lines: string) => unknown;
}

/** The keys and their order are those of Prometheus's own programs (prometheus/common, promslog). */
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
    // Together, as there may be room for the short one alone, again and again.
    const text = lost === 0 ? format(line) : format(lossLine(lost)) + format(line);
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

function lossLine(lines: number): string {
  const time = new Date().toISOString();
  return `${JSON.stringify({ time, level: 'WARN', msg: 'Log lines were lost before this one', lines })}\n`;
}

/**
 * Writes at once, so that nothing is left to write at exit. What can't be written at once is lost: neither a full disk
 * nor a reader that has stopped reading may stop the scrapes.
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
      // A pipe may accept only the beginning of a line over 4 KiB: the rest must be written before the next line.
      if (!writeRest() && rest.length === whole.length) {
        rest = Buffer.alloc(0);
        return false;
      }
      return true;
    },
  };
}

/** A pipe or a socket that has no room then fails the write; Node.js has no other way to set this on an open descriptor. */
function setNonBlocking(fd: number): void {
  const stat = fstatSync(fd);
  if (stat.isFIFO() || stat.isSocket()) {
    new Socket({ fd, readable: false });
  }
}
