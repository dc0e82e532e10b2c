/** Turns level, format and a place to write to into the logger. */
import pino, { type DestinationStream, type Logger } from 'pino';
import type { LogOptions } from './log-options.ts';
import { escapeUnprintable, toLogfmt } from './logfmt.ts';

/** The keys and their order are those of Prometheus's own programs (prometheus/common, promslog). */
export function createLogger({ logLevel, logFormat }: LogOptions, out: DestinationStream): Logger {
  const options = {
    level: logLevel,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label.toUpperCase() }) },
  };
  const format = logFormat === 'json' ? escapeUnprintable : toLogfmt;
  return pino(options, { write: (line) => out.write(format(line)) });
}

/** Written at once, so that nothing is lost at exit; a log that can't be written must not stop the scrapes. */
export function stderrDestination(): DestinationStream {
  return pino.destination({ dest: 2, sync: true }).on('error', () => {});
}
