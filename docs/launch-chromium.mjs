// The Chromium of the end-to-end tests, for the scripts that take pictures.
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { runnerImport } from 'vite';

/** @returns {Promise<import('playwright-core').Browser>} */
export async function launchChromium() {
  const file = fileURLToPath(new URL('../test/e2e/chromium.ts', import.meta.url));
  /** @type {{ module: typeof import('../test/e2e/chromium.ts') }} */
  const { module } = await runnerImport(file);
  return chromium.launch({ ...module.findChromium(), args: ['--no-sandbox', '--disable-gpu'] });
}
