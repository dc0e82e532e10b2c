// Writes the images of the page, docs/page-*.png, from a simulated Ollama: `npm run screenshots`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { launchChromium, load } from './screenshot-tools.mjs';

/** @type {ReadonlyArray<import('playwright-core').BrowserContextOptions & { readonly name: string }>} */
const PICTURES = [
  { name: 'page-light', colorScheme: 'light', viewport: { width: 1_280, height: 400 } },
  { name: 'page-dark', colorScheme: 'dark', viewport: { width: 1_280, height: 400 } },
  { name: 'page-phone', colorScheme: 'light', viewport: { width: 390, height: 400 }, deviceScaleFactor: 1.5 },
];

const MINUTE_MS = 60_000;

const [{ Scheduler }, { startSimulatedOllama }, { DEMO_MACHINE }, { EMBEDDING_MODEL, LARGE_MODEL, QWEN }] =
  await Promise.all(
    ['scheduler', 'server', 'simulation', 'catalog'].map((name) => load(`src/demo/${name}.ts`)),
  );
const gpu = new Scheduler(DEMO_MACHINE.vramBytes);
const now = Date.now();
gpu.request({ model: EMBEDDING_MODEL, durationMs: 0, keepAliveMs: Number.POSITIVE_INFINITY }, now);
gpu.request({ model: QWEN, durationMs: 30_000, keepAliveMs: 4 * MINUTE_MS }, now);
gpu.request({ model: LARGE_MODEL, durationMs: 30_000, keepAliveMs: 5 * MINUTE_MS }, now);
const ollama = await startSimulatedOllama({
  version: '0.33.0',
  loaded: () => gpu.loaded(Date.now()),
  port: 11_434,
});
const exporter = spawn(
  process.execPath,
  [
    'dist/main.js',
    '--ollama.vram-capacity=24GiB',
    '--ollama.memory-capacity=64GiB',
    '--web.listen-address=127.0.0.1:0',
  ],
  { cwd: fileURLToPath(new URL('..', import.meta.url)), stdio: ['ignore', 'ignore', 'pipe'] },
);
const browser = await launchChromium();
try {
  const host = await new Promise((resolve) => {
    exporter.stderr.on('data', (chunk) => {
      const [, address] = /msg=Listening address=(\S+)/.exec(String(chunk)) ?? [];
      if (address) {
        resolve(address);
      }
    });
  });
  for (const { name, ...options } of PICTURES) {
    const page = await browser.newPage(options);
    await page.goto(`http://${host}/`);
    await page.locator('tbody tr').nth(2).waitFor();
    await page.screenshot({ path: fileURLToPath(new URL(`${name}.png`, import.meta.url)), fullPage: true });
    await page.close();
  }
} finally {
  await browser.close();
  exporter.kill('SIGTERM');
  await once(exporter, 'exit');
  await ollama.close();
}
