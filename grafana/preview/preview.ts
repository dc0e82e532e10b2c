/**
 * Renders the dashboard from its own queries: docs/dashboard.png and docs/dashboard-dark.png with 20 servers, and
 * separately the collapsed rows. With a number of servers as argument, writes into .cache/dashboard instead.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { findChromium } from '../../test/e2e/chromium.ts';
import { manyServers, oneServer } from './fleet.ts';
import { type Page, pageOf } from './page.ts';
import { withPalette } from './palette.ts';
import { pastHour, STEP } from './past-hour.ts';

/** A fixed hour, so that the images change only with the dashboard. */
const END = Date.UTC(2026, 10, 26, 12) / 1_000;
const START = END - 3_600;
/** Before the hour, so that the simulation is already in progress. */
const FIRST_SCRAPE = START - 1_800;

const CAPTION = "A preview drawn from the dashboard's own queries, over an hour of simulated servers";
const DOCS = fileURLToPath(new URL('../../docs', import.meta.url));
const CACHE = fileURLToPath(new URL('../../.cache/dashboard', import.meta.url));

const require = createRequire(import.meta.url);

async function shoot(browser: Browser, { html, charts }: Page, path: string, colorScheme: 'light' | 'dark') {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1_600, height: 900 } });
  await page.setContent(html);
  await page.addStyleTag({ path: require.resolve('uplot/dist/uPlot.min.css') });
  await page.addScriptTag({ path: require.resolve('uplot/dist/uPlot.iife.min.js') });
  await page.addScriptTag({ content: `globalThis.charts = ${JSON.stringify(charts)}` });
  await page.addScriptTag({ path: fileURLToPath(new URL('charts.js', import.meta.url)) });
  writeFileSync(path, withPalette(await page.screenshot({ fullPage: true })));
  process.stdout.write(`${path}\n`);
  await page.close();
}

/** @param count of servers; one of them has the load of `--demo` */
async function preview(count: number, folder: string, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const simulated = count === 1 ? oneServer : manyServers.bind(undefined, count);
  const { prometheus, stop } = await pastHour(
    simulated(FIRST_SCRAPE * 1_000, END * 1_000),
    FIRST_SCRAPE,
    END,
  );
  const { executablePath, env } = findChromium();
  const browser = await chromium.launch({
    executablePath,
    env: { ...process.env, ...env },
    args: ['--no-sandbox', '--disable-gpu', '--disable-lcd-text'],
  });
  try {
    const range = { start: START, end: END, step: STEP };
    const pages = {
      [name]: await pageOf(prometheus, range, CAPTION),
      [`${name}-work`]: await pageOf(prometheus, range, CAPTION, ['Work', 'Requests']),
    };
    for (const [file, page] of Object.entries(pages)) {
      await shoot(browser, page, join(folder, `${file}.png`), 'light');
      await shoot(browser, page, join(folder, `${file}-dark.png`), 'dark');
    }
  } finally {
    await browser.close();
    await stop();
  }
}

const [servers] = process.argv.slice(2).map(Number);
await (servers === undefined
  ? preview(20, DOCS, 'dashboard')
  : preview(servers, CACHE, `dashboard-${servers}`));
