import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import { EMBEDDING_MODEL } from '../../src/demo/catalog.ts';
import { Scheduler } from '../../src/demo/scheduler.ts';
import { startSimulatedOllama } from '../../src/demo/server.ts';
import { DEMO_MACHINE } from '../../src/demo/simulation.ts';
import { startFakeOllama } from '../fake-ollama.ts';
import { codeBlocks, MANY_SERVERS, readPage, section } from '../markdown.ts';
import { startExporterProcess } from './exporter-process.ts';
import { type Prometheus, type Series, startPrometheus } from './prometheus-process.ts';

const binaries = inject('prometheus');

const HEALTHY = 47;
/** Scrapes of each target. */
const SCRAPES = 8;

/** Interval and timeout of scrapes, with a margin for a busy machine. */
const INTERVAL = '2s';

/** The second YAML block of the section on many servers is the Prometheus configuration. */
function documentedConfig(exporter: string, targets: readonly string[]): string {
  const [, yaml = ''] = codeBlocks(section(readPage('docs/fleet.md'), MANY_SERVERS), 'yaml');
  const { scrape_configs } = parse(yaml.replaceAll('localhost:10434', exporter));
  scrape_configs[0].static_configs = [{ targets }];
  delete scrape_configs[0].scrape_interval;
  return JSON.stringify({ global: { scrape_interval: INTERVAL, scrape_timeout: INTERVAL }, scrape_configs });
}

describe.skipIf(binaries === undefined)('a fleet behind one exporter, as documented', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-'));
  const opened: { close: () => Promise<void> }[] = [];
  const healthy: string[] = [];
  let hanging: string;
  let garbage: string;
  const down = '127.0.0.1:1';
  let prometheus: Prometheus;

  beforeAll(async () => {
    const gpu = new Scheduler(DEMO_MACHINE.vramBytes);
    gpu.request({ model: EMBEDDING_MODEL, durationMs: 0, keepAliveMs: Number.POSITIVE_INFINITY }, Date.now());
    for (let server = 0; server < HEALTHY; server += 1) {
      const simulated = await startSimulatedOllama({
        version: '0.33.0',
        loaded: () => gpu.loaded(Date.now()),
      });
      opened.push(simulated);
      healthy.push(simulated.url.host);
    }
    const mute = await startFakeOllama({ ps: () => {}, version: () => {} });
    const page = (_: unknown, response: { end: (body: string) => void }) =>
      response.end('<html>not found</html>');
    const wrong = await startFakeOllama({ ps: page, version: page });
    opened.push(mute, wrong);
    hanging = mute.url.host;
    garbage = wrong.url.host;

    const config = join(folder, 'ollama.yml');
    writeFileSync(config, 'modules: { default: { allow: ["127.0.0.0/8"] } }');
    const args = [`--config.file=${config}`, '--ollama.url=127.0.0.1:1', '--timeout-offset=1'];
    const exporter = await startExporterProcess(args);
    const targets = [...healthy, hanging, garbage, down];
    prometheus = await startPrometheus(binaries?.['prometheus'] ?? '', {
      'prometheus.yml': documentedConfig(exporter.url.host, targets),
    });
  });

  afterAll(async () => {
    await prometheus?.stop();
    await Promise.all(opened.map(({ close }) => close()));
    rmSync(folder, { recursive: true });
  });

  function instances(series: readonly Series[]): readonly string[] {
    return series.map(({ labels }) => labels['instance'] ?? '').sort();
  }

  test('every healthy server is up in every scrape, with its models', async () => {
    const scraped = () => prometheus.query(`count_over_time(up{job="ollama"}[5m]) >= ${SCRAPES}`);
    await expect
      .poll(async () => (await scraped()).length, { timeout: 55_000, interval: 500 })
      .toBe(HEALTHY + 3);
    const always = 'min_over_time(up{job="ollama"}[5m]) == 1 and min_over_time(ollama_up[5m]) == 1';
    expect(instances(await prometheus.query(always))).toEqual([...healthy].sort());
    const missed = 'count_over_time(up{job="ollama"}[5m]) - count_over_time(ollama_loaded_models[5m]) > 1';
    expect(await prometheus.query(missed)).toEqual([]);
    expect(instances(await prometheus.query('ollama_model_size_vram_bytes > 0'))).toEqual(
      [...healthy].sort(),
    );
  });

  test('hanging, invalid and down servers have distinct reasons, and each scrape of them succeeds', async () => {
    for (const [instance, reason] of [
      [hanging, 'timeout'],
      [garbage, 'invalid'],
      [down, 'refused'],
    ]) {
      const query = `ollama_scrape_error{instance="${instance}",reason="${reason}"} == 1`;
      expect(await prometheus.query(query), reason).toHaveLength(2);
    }
    expect(instances(await prometheus.query('max_over_time(ollama_up{job="ollama"}[5m]) == 0'))).toEqual(
      [hanging, garbage, down].sort(),
    );
    expect(await prometheus.query('min_over_time(up{job="ollama"}[5m]) == 0')).toEqual([]);
  });

  test("the exporter's own metrics have their own job", async () => {
    const query = 'ollama_exporter_config_last_reload_successful == 1';
    expect((await prometheus.query(query)).map(({ labels }) => labels['job'])).toEqual(['ollama-exporter']);
    expect(await prometheus.query('ollama_up{job="ollama-exporter"}')).toEqual([]);
    expect(
      await prometheus.query('{__name__=~"process_.*|nodejs_.*|ollama_exporter_.*",job="ollama"}'),
    ).toEqual([]);
  });
});
