import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type CatalogModel, CHAT_MODELS, EMBEDDING_MODEL, LARGE_MODEL } from '../../src/demo/catalog.ts';
import { Scheduler } from '../../src/demo/scheduler.ts';
import { type SimulatedOllama, startSimulatedOllama } from '../../src/demo/server.ts';
import { DEMO_MACHINE } from '../../src/demo/simulation.ts';
import { REASONS } from '../../src/ollama/errors.ts';
import { filledIn, readDashboard } from '../dashboard.ts';
import { startExporterProcess } from './exporter-process.ts';
import {
  type Alertmanager,
  type FiringAlert,
  type Prometheus,
  startAlertmanager,
  startPrometheus,
} from './prometheus-process.ts';
import { shortenedConfig, shortenedRules } from './short-intervals.ts';

const binaries = { ...inject('prometheus'), ...inject('alertmanager') };
const { prometheus: prometheusBinary, 'prometheus-alertmanager': alertmanagerBinary } = binaries;

const MINUTE_MS = 60_000;
const [SMALL = EMBEDDING_MODEL] = CHAT_MODELS;

describe.skipIf(prometheusBinary === undefined || alertmanagerBinary === undefined)(
  'a real Prometheus and a real Alertmanager with the shipped rules',
  () => {
    let gpu = new Scheduler(DEMO_MACHINE.vramBytes);
    let simulated: SimulatedOllama;
    let exporterHost: string;
    let prometheus: Prometheus;
    let alertmanager: Alertmanager;

    const startOllama = (port?: number) =>
      startSimulatedOllama({
        version: '0.33.0',
        loaded: () => gpu.loaded(Date.now()),
        ...(port && { port }),
      });

    /** A request from so many minutes ago. */
    const requestModel = (model: CatalogModel, minutesAgo: number, durationMs: number, keepAliveMs: number) =>
      gpu.request({ model, durationMs, keepAliveMs }, Date.now() - minutesAgo * MINUTE_MS);

    beforeAll(async () => {
      // A request 20 minutes ago set the expiry of the small model to 18 minutes ago; a later one is still running.
      requestModel(SMALL, 20, 1_000, 2 * MINUTE_MS);
      requestModel(SMALL, 19, 120 * MINUTE_MS, 2 * MINUTE_MS);
      requestModel(EMBEDDING_MODEL, 0, 0, Number.POSITIVE_INFINITY);
      requestModel(LARGE_MODEL, 0, 60 * MINUTE_MS, MINUTE_MS);
      simulated = await startOllama();
      const exporter = await startExporterProcess([
        `--ollama.url=${simulated.url.href}`,
        '--ollama.vram-capacity=24GiB',
        '--ollama.memory-capacity=64GiB',
      ]);
      exporterHost = exporter.url.host;
      alertmanager = await startAlertmanager(alertmanagerBinary ?? '');
      prometheus = await startPrometheus(prometheusBinary ?? '', {
        'prometheus.yml': shortenedConfig(exporterHost, alertmanager.host),
        'alerts.yml': shortenedRules('alerts.yml'),
        'recording.yml': shortenedRules('recording.yml'),
      });
    });

    afterAll(async () => {
      await prometheus?.stop();
      await alertmanager?.stop();
      await simulated?.close();
    });

    async function namesFiring(): Promise<readonly string[]> {
      return (await alertmanager.firing()).map(({ labels }) => labels['alertname'] ?? '').sort();
    }

    async function firing(alertname: string): Promise<FiringAlert | undefined> {
      return (await alertmanager.firing()).find(({ labels }) => labels['alertname'] === alertname);
    }

    const LONG_MS = 120_000;

    test('Alertmanager receives the alerts for full VRAM, a spill and an overdue model, and no others', async () => {
      await expect
        .poll(namesFiring, { timeout: LONG_MS, interval: 500 })
        .toEqual(['OllamaModelOverdue', 'OllamaModelSpilledToRam', 'OllamaVramAlmostFull', 'OllamaVramFull']);
      expect(await firing('OllamaVramFull')).toMatchObject({
        labels: { job: 'ollama', instance: exporterHost, severity: 'warning' },
        annotations: {
          summary: `VRAM on ${exporterHost} is full: 100%.`,
          description: `On average over 5 minutes, loaded models have taken 100% of the VRAM of ${exporterHost} (24.0 GiB). Largest: ${LARGE_MODEL.name}, 14.5 GiB. The next load will evict a model, spill into RAM or fail.`,
        },
      });
      expect(await firing('OllamaModelSpilledToRam')).toMatchObject({
        labels: { model: LARGE_MODEL.name, quantization: LARGE_MODEL.quantization, severity: 'warning' },
        annotations: {
          description: expect.stringMatching(/^48% of qwen3:32b \(Q4_K_M\) on \S+ has been in RAM/),
        },
      });
      expect(await firing('OllamaModelOverdue')).toMatchObject({
        labels: { model: SMALL.name },
        annotations: { description: expect.stringMatching(/ is \d+m \d+s past its expiry\. /) },
      });
    });

    test('Alertmanager receives the alert for an outage with its reason, and other alerts resolve', async () => {
      await simulated.close();
      await expect.poll(namesFiring, { timeout: LONG_MS, interval: 500 }).toEqual(['OllamaDown']);
      expect(await firing('OllamaDown')).toMatchObject({
        labels: { instance: exporterHost, severity: 'critical' },
        annotations: {
          description: `Ollama on ${exporterHost} has not responded for over 2 minutes. Reason: refused. ${REASONS.refused}`,
        },
      });
    });

    test('all alerts resolve when Ollama is back with free VRAM', async () => {
      gpu = new Scheduler(DEMO_MACHINE.vramBytes);
      requestModel(EMBEDDING_MODEL, 0, 0, Number.POSITIVE_INFINITY);
      requestModel(SMALL, 0, 60 * MINUTE_MS, MINUTE_MS);
      simulated = await startOllama(Number(simulated.url.port));
      await expect.poll(namesFiring, { timeout: LONG_MS, interval: 500 }).toEqual([]);
      // And no alert fires over a whole window of the rules.
      const [before] = await prometheus.query('time()');
      const later = (before?.samples[0]?.[1] ?? 0) + 5;
      await expect
        .poll(async () => (await prometheus.query(`vector(time()) > ${later}`)).length, { timeout: LONG_MS })
        .toBe(1);
      expect(await namesFiring()).toEqual([]);
      await expect
        .poll(() => prometheus.query('ollama_model_size_bytes'), { timeout: 20_000 })
        .toHaveLength(2);
    });

    const exporterRow = readDashboard().panels.find(({ title }) => title === 'Exporter');
    const targets = exporterRow?.panels?.flatMap(({ title, targets = [] }) =>
      targets.map((target) => ({ ...target, name: `${title} ${target.refId}` })),
    );

    test.each(targets ?? [])("the dashboard finds the exporter's process: $name", async ({ expr }) => {
      expect(await prometheus.query(filledIn(expr))).not.toEqual([]);
    });
  },
);
