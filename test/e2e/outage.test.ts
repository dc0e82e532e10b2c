/** Half of a fleet hangs, and the other half is not affected. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { parseExposition, sampleValue } from '../exposition.ts';
import { startExporterProcess } from './exporter-process.ts';

const HALF = 150;
const ROUNDS = 10;
/** Shorter than a hanging scrape, so that rounds overlap. As in Prometheus, scrapes are spread over a round. */
const ROUND_MS = 5_000;
/** Prometheus's default. */
const TIMEOUT_SECONDS = 10;

/** On every address of 127.0.0.0/8, so that one server is any number of targets. */
async function startEverywhere(handler: RequestListener): Promise<number> {
  const server: Server = createServer(handler);
  await new Promise<void>((resolve) => void server.listen(0, '0.0.0.0', 4_096, resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

const targetsAt = (port: number) =>
  Array.from({ length: HALF }, (_, index) => `127.0.1.${index + 1}:${port}`);

test('150 hanging targets do not delay 150 others, in ten rounds', async () => {
  const hanging = targetsAt(await startEverywhere(() => {}));
  const healthy = targetsAt(
    await startEverywhere(({ url }, response) => {
      response.end(url === '/api/ps' ? '{"models":[]}' : '{"version":"0.33.0"}');
    }),
  );
  const folder = mkdtempSync(join(tmpdir(), 'outage-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'ollama.yml');
  writeFileSync(file, 'modules: { default: { allow: ["127.0.1.0/24"] } }');
  const { url, log } = await startExporterProcess([`--config.file=${file}`]);
  const dispatcher = new Agent();
  onTestFinished(() => dispatcher.close());

  const probe = async (target: string, index: number) => {
    await delay((index / HALF) * ROUND_MS);
    const start = performance.now();
    const { statusCode, body } = await request(new URL(`/probe?target=${target}`, url), {
      dispatcher,
      headers: { 'x-prometheus-scrape-timeout-seconds': String(TIMEOUT_SECONDS) },
    });
    const up = sampleValue(parseExposition(await body.text()), 'ollama_up');
    return { statusCode, up, inTime: performance.now() - start < TIMEOUT_SECONDS * 1_000 };
  };
  const expected = (up: number) => Array(HALF).fill({ statusCode: 200, up, inTime: true });
  const rounds = Array.from({ length: ROUNDS }, async (_, round) => {
    await delay(round * ROUND_MS);
    const [up, down] = await Promise.all([Promise.all(healthy.map(probe)), Promise.all(hanging.map(probe))]);
    expect(up, `round ${round}`).toEqual(expected(1));
    expect(down, `round ${round}`).toEqual(expected(0));
  });
  await Promise.all(rounds);
  expect(log()).not.toMatch(/level=(WARN|ERROR) msg="?Refus/);
});
