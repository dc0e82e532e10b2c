/** Provides the programs that the end-to-end tests run, once before them. */
import type { TestProject } from 'vitest/node';
import { type Chromium, findChromium } from './chromium.ts';
import { type Binaries, findBinaries } from './debian-binaries.ts';

declare module 'vitest' {
  /** Paths by name; undefined if not available on this machine. */
  interface ProvidedContext {
    readonly prometheus: Binaries | undefined;
    readonly alertmanager: Binaries | undefined;
    readonly chromium: Chromium | undefined;
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
  provide(
    'prometheus',
    findOrSkip('prometheus', () => findBinaries(PACKAGES.prometheus)),
  );
  provide(
    'alertmanager',
    findOrSkip('alertmanager', () => findBinaries(PACKAGES.alertmanager)),
  );
  provide('chromium', findOrSkip('chromium', findChromium));
}

function findOrSkip<T>(name: string, find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    if (process.env['CI'] === 'true') {
      throw error;
    }
    process.stderr.write(`skipping the tests that need ${name}: ${String(error).split('\n')[0]}\n`);
    return undefined;
  }
}
