// Writes docs/page-light.png and docs/page-dark.png from the demo: `npm run screenshots`, after `npm run build`.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const demo = spawn(process.execPath, ['dist/main.js', '--demo', '--web.listen-address=127.0.0.1:0'], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  stdio: ['ignore', 'ignore', 'pipe'],
});
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
try {
  const host = await new Promise((resolve) => {
    demo.stderr.on('data', (chunk) => {
      const [, address] = /msg=Listening address=(\S+)/.exec(String(chunk)) ?? [];
      if (address) {
        resolve(address);
      }
    });
  });
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    const page = await browser.newPage({ colorScheme, viewport: { width: 1_280, height: 400 } });
    await page.goto(`http://${host}/`);
    await page.locator('tbody tr').nth(2).waitFor();
    await page.screenshot({
      path: fileURLToPath(new URL(`page-${colorScheme}.png`, import.meta.url)),
      fullPage: true,
    });
  }
} finally {
  await browser.close();
  demo.kill('SIGTERM');
}
