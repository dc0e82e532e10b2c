/** The number of notifications about an outage, with a real Prometheus and Alertmanager and the shipped files. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { CHAT_MODELS, EMBEDDING_MODEL, LARGE_MODEL } from '../../src/demo/catalog.ts';
import { Scheduler } from '../../src/demo/scheduler.ts';
import { type SimulatedOllama, startSimulatedOllama } from '../../src/demo/server.ts';
import { DEMO_MACHINE } from '../../src/demo/simulation.ts';
import { type RunningExporter, startExporterProcess } from './exporter-process.ts';
import {
  type Alertmanager,
  type Prometheus,
  startAlertmanager,
  startPrometheus,
} from './prometheus-process.ts';
import { shortenedAlertmanager, shortenedConfig, shortenedRules } from './short-intervals.ts';

const binaries = { ...inject('prometheus'), ...inject('alertmanager') };
const { prometheus: prometheusBinary = '', 'prometheus-alertmanager': alertmanagerBinary = '' } = binaries;

/** Servers behind one switch. */
const RACK = Array.from({ length: 100 }, (_, index) => `gpu-${index + 1}.lan:11434`);
const BOX = 'spilled.lan:11434';
const LONG_MS = 120_000;

interface Notification {
  readonly receiver: string;
  readonly status: 'firing' | 'resolved';
  readonly groupLabels: Readonly<Record<string, string>>;
  readonly alerts: ReadonlyArray<{ readonly status: string }>;
}

describe.skipIf(prometheusBinary === '' || alertmanagerBinary === '')('notifications:', () => {
  const folder = mkdtempSync(join(tmpdir(), 'notifications-'));
  const received: Notification[] = [];
  const webhook = createServer(async (request, response) => {
    received.push(JSON.parse(await text(request)));
    response.end();
  });
  let rack: SimulatedOllama;
  let box: SimulatedOllama;
  let exporter: RunningExporter;
  let alertmanager: Alertmanager;
  let prometheus: Prometheus;

  beforeAll(async () => {
    const pinned = new Scheduler(DEMO_MACHINE.vramBytes);
    const requestModel = (gpu: Scheduler, model = EMBEDDING_MODEL) =>
      gpu.request({ model, durationMs: 3_600_000, keepAliveMs: Number.POSITIVE_INFINITY }, Date.now());
    requestModel(pinned);
    const spilled = new Scheduler(DEMO_MACHINE.vramBytes);
    for (const model of [EMBEDDING_MODEL, LARGE_MODEL, ...CHAT_MODELS.slice(0, 2)]) {
      requestModel(spilled, model);
    }
    rack = await startSimulatedOllama({ version: '0.33.0', loaded: () => pinned.loaded(Date.now()) });
    box = await startSimulatedOllama({ version: '0.33.0', loaded: () => spilled.loaded(Date.now()) });
    await new Promise<void>((resolve) => webhook.listen(0, '127.0.0.1', resolve));
    const config = join(folder, 'ollama.yml');
    writeFileSync(config, 'modules: { default: { allow: ["127.0.0.0/8"], vram_capacity: 24GiB } }');
    exporter = await startExporterProcess([`--config.file=${config}`, '--ollama.url=127.0.0.1:1']);
    const { port } = webhook.address() as AddressInfo;
    alertmanager = await startAlertmanager(
      alertmanagerBinary,
      shortenedAlertmanager(`http://127.0.0.1:${port}/`),
    );
    prometheus = await startPrometheus(prometheusBinary, {
      'prometheus.yml': JSON.stringify({
        ...JSON.parse(shortenedConfig(exporter.url.host, alertmanager.host)),
        scrape_configs: [probes(), own()],
      }),
      'alerts.yml': shortenedRules('alerts.yml'),
      'recording.yml': shortenedRules('recording.yml'),
    });
  });

  afterAll(async () => {
    await prometheus?.stop();
    await alertmanager?.stop();
    await rack?.close();
    await box?.close();
    webhook.close();
    rmSync(folder, { recursive: true });
  });

  /** Every server of the rack is the same simulated one. */
  function probes() {
    const to = (label: string, replacement: string) => ({ target_label: label, replacement });
    return {
      job_name: 'ollama',
      metrics_path: '/probe',
      static_configs: [{ targets: [...RACK, BOX] }],
      relabel_configs: [
        { source_labels: ['__address__'], target_label: 'instance' },
        to('__param_target', rack.url.host),
        { ...to('__param_target', box.url.host), source_labels: ['instance'], regex: BOX },
        to('__address__', exporter.url.host),
      ],
    };
  }

  function own() {
    return {
      job_name: 'ollama-exporter',
      static_configs: [{ targets: [exporter.url.host] }],
      metric_relabel_configs: [
        { source_labels: ['__name__'], regex: '(ollama_exporter|process|nodejs)_.*', action: 'keep' },
      ],
    };
  }

  /** For each notification about firing alerts: the alert, and their number. */
  const notified = () =>
    received
      .filter(({ status }) => status === 'firing')
      .map(({ groupLabels, alerts }) => `${groupLabels['alertname']} ${alerts.length}`);

  async function firing(): Promise<readonly string[]> {
    const names = (await alertmanager.firing()).map(({ labels }) => labels['alertname'] ?? '');
    return [...new Set(names)].sort();
  }

  /** The time after which Alertmanager sends the changes of a group. */
  async function aGroupInterval(): Promise<void> {
    const [now] = await prometheus.query('time()');
    const later = (now?.samples[0]?.[1] ?? 0) + 20;
    await expect
      .poll(async () => (await prometheus.query(`vector(time()) > ${later}`)).length, { timeout: LONG_MS })
      .toBe(1);
  }

  test('four alerts about one full server are one notification', async () => {
    const all = ['OllamaModelOnCpu', 'OllamaModelSpilledToRam', 'OllamaVramAlmostFull', 'OllamaVramFull'];
    await expect.poll(firing, { timeout: LONG_MS, interval: 500 }).toEqual(all);
    await aGroupInterval();
    expect(await firing()).toEqual(all);
    expect(notified()).toEqual(['OllamaVramFull 1']);
    expect(received[0]).toMatchObject({ receiver: 'team' });
  });

  test('an outage of 100 servers is one notification, and their recovery another', async () => {
    received.length = 0;
    await rack.close();
    await expect.poll(notified, { timeout: LONG_MS }).toEqual(['OllamaDown 100']);
    await aGroupInterval();
    expect(received).toHaveLength(1);
    const gpu = new Scheduler(DEMO_MACHINE.vramBytes);
    rack = await startSimulatedOllama({
      version: '0.33.0',
      port: Number(rack.url.port),
      loaded: () => gpu.loaded(Date.now()),
    });
    await expect.poll(() => received.length, { timeout: LONG_MS }).toBe(2);
    expect(received[1]).toMatchObject({ status: 'resolved', groupLabels: { alertname: 'OllamaDown' } });
    expect(received[1]?.alerts.filter(({ status }) => status === 'resolved')).toHaveLength(100);
  });

  test('an exporter that is down is one notification, for all its targets and itself', async () => {
    received.length = 0;
    exporter.child.kill('SIGTERM');
    await expect.poll(notified, { timeout: LONG_MS }).toEqual(['OllamaExporterDown 102']);
    await aGroupInterval();
    expect(notified()).toEqual(['OllamaExporterDown 102']);
  });
});
