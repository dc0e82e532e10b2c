// Tools for the screenshot scripts: loads TypeScript of the tests on every supported Node.js.
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { runnerImport } from 'vite';

/** @type {(file: string) => Promise<any>} of the repository */
export async function load(file) {
  const { module } = await runnerImport(fileURLToPath(new URL(`../${file}`, import.meta.url)));
  return module;
}

/** @returns {Promise<import('playwright-core').Browser>} */
export async function launchChromium() {
  const { findChromium } = await load('test/e2e/chromium.ts');
  return chromium.launch({ ...findChromium(), args: ['--no-sandbox', '--disable-gpu'] });
}
