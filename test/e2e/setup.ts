/** Once before the end-to-end tests: provides the programs that they run for real. */
import type { TestProject } from 'vitest/node';
import { type Binaries, type DebianPackage, findBinaries } from './debian-binaries.ts';

declare module 'vitest' {
  /** Paths by name; undefined where they can't be had on this machine. */
  interface ProvidedContext {
    readonly prometheus: Binaries | undefined;
    readonly alertmanager: Binaries | undefined;
  }
}

const PACKAGES = {
  prometheus: { name: 'prometheus', binaries: ['prometheus', 'promtool'] },
  alertmanager: {
    name: 'prometheus-alertmanager',
    binaries: ['prometheus-alertmanager'],
    compiledIn: '/usr/share/prometheus/alertmanager',
  },
} as const;

export default function setup({ provide }: TestProject): void {
  provide('prometheus', findOrSkip(PACKAGES.prometheus));
  provide('alertmanager', findOrSkip(PACKAGES.alertmanager));
}

function findOrSkip(wanted: DebianPackage): Binaries | undefined {
  try {
    return findBinaries(wanted);
  } catch (error) {
    if (process.env['CI'] === 'true') {
      throw error;
    }
    process.stderr.write(`skipping the tests that need ${wanted.name}: ${String(error).split('\n')[0]}\n`);
    return undefined;
  }
}
