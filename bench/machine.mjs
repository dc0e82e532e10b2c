/** Says where and with what the figures were made. */
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

export function machine() {
  const [first] = cpus();
  return {
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 1_024 ** 2),
    kernel: release(),
  };
}

export function versions() {
  return {
    node: process.version,
    exporter: versionOf('package.json'),
    undici: versionOf('node_modules/undici/package.json'),
    revision: readFileSync('dist/REVISION', 'utf8'),
  };
}

/** @param {string} file */
function versionOf(file) {
  /** @type {{ version: string }} */
  const { version } = JSON.parse(readFileSync(file, 'utf8'));
  return version;
}
