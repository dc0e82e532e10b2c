import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { psBody } from '../../src/demo/api.ts';
import { EMBEDDING_MODEL } from '../../src/demo/catalog.ts';
import { startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

const SCRAPERS = 3;
const SECONDS = 5;
/** Each has 16 MiB to look at. What it finds twice it puts among the old, for which a collection costs ten times more. */
const MOST_PROMOTED_BYTES = 512 * 1024;

/** Another answer each time, so that none is remembered. */
function changingBody(): () => string {
  let calls = 0;
  const loaded = { sizeVramBytes: 1, expiresAtMs: Number.POSITIVE_INFINITY };
  const models = Array.from({ length: 10 }, (_, index) => ({ ...EMBEDDING_MODEL, name: `model-${index}` }));
  return () => {
    calls += 1;
    return psBody(models.map((model) => ({ ...loaded, expiresAtMs: 1e12 + calls, model })));
  };
}

test('what a scrape needed is gone soon after it, before V8 takes it for something that lasts', async () => {
  const body = changingBody();
  const ollama = await startFakeOllama({
    ps: (_, response) => response.end(body()),
    version: (_, response) => response.end(VERSION_BODY),
  });
  onTestFinished(() => ollama.close());
  const args = [
    MAIN,
    `--ollama.url=${ollama.url.href}`,
    '--web.listen-address=127.0.0.1:0',
    '--web.disable-exporter-metrics',
  ];
  const child = spawn(process.execPath, ['--trace-gc', '--trace-gc-nvp', ...args], { env: {} });
  onTestFinished(() => void child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  const address = await new Promise<string>((resolve) => {
    child.stderr.on('data', (chunk) => {
      output.stderr += chunk;
      const [, found] = /msg=Listening address=(\S+)/.exec(output.stderr) ?? [];
      found && resolve(found);
    });
  });
  const until = performance.now() + SECONDS * 1_000;
  const scrapers = Array.from({ length: SCRAPERS }, async () => {
    while (performance.now() < until) {
      await (await fetch(`http://${address}/metrics`)).text();
    }
  });
  await Promise.all(scrapers);
  child.kill('SIGKILL');
  await once(child, 'close');
  const promoted = [...output.stdout.matchAll(/ gc=s .* promoted=(\d+)/g)].map(([, bytes]) => Number(bytes));
  // At first there is much that lasts; the median is of the second half.
  const later = promoted.slice(promoted.length / 2).sort((a, b) => a - b);
  expect(later.length).toBeGreaterThan(2);
  expect(later[Math.floor(later.length / 2)]).toBeLessThan(MOST_PROMOTED_BYTES);
});
