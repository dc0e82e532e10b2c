#!/usr/bin/env node
/** The entry point: rejects an unsupported Node.js version before loading code that it could not parse. */

/** The same as `engines` in package.json. */
const OLDEST_NODE = '20.18.1';

const [oldest = [], running = []] = [OLDEST_NODE, process.versions.node].map((version) =>
  version.split('.').map(Number),
);
const difference = oldest.map((number, index) => (running[index] ?? 0) - number).find((value) => value !== 0);
if ((difference ?? 0) < 0) {
  console.error(`ollama-exporter needs Node.js ${OLDEST_NODE} or later, this is ${process.versions.node}`);
  process.exitCode = 1;
} else {
  await import('./cli.ts');
}
