/** The program of the image's HEALTHCHECK: queries the exporter in the same container, and exits 0 or 1. */
import { readFileSync } from 'node:fs';
import { parseCommandLine } from './config/command-line.ts';
import { messageOf } from './log/error-text.ts';
import { checkHealth, exporterArguments, healthAddress } from './server/health.ts';

/** The first process of a container is the exporter, or an init that has its command line. Elsewhere it is neither. */
const FIRST_PROCESS = '/proc/1/cmdline';

/** Less than Docker's own default, so that the reason is printed. */
const TIMEOUT_MS = 5_000;

try {
  const args = exporterArguments(readFileSync(FIRST_PROCESS, 'utf8'));
  const invocation = parseCommandLine(args, process.env, '');
  if (invocation.kind === 'run') {
    await checkHealth(healthAddress(invocation.config), AbortSignal.timeout(TIMEOUT_MS));
  }
} catch (error) {
  process.stderr.write(`unhealthy: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
