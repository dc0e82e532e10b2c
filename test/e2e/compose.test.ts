import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import { DEMO, mounts, ROOT, readText, serviceOf } from '../compose.ts';
import { type RunningExporter, startExporterProcess } from './exporter-process.ts';
import {
  type Alertmanager,
  type Prometheus,
  startAlertmanager,
  startPrometheus,
} from './prometheus-process.ts';
import { shortenedRules } from './short-intervals.ts';

const binaries = { ...inject('prometheus'), ...inject('alertmanager') };
const { prometheus: prometheusBinary, promtool, 'prometheus-alertmanager': alertmanagerBinary } = binaries;

describe.skipIf(promtool === undefined)('promtool', () => {
  const container = mkdtempSync(join(tmpdir(), 'compose-'));
  afterAll(() => rmSync(container, { recursive: true }));

  test('accepts the configuration, and finds its rules at the mounted paths', () => {
    for (const { source, target } of mounts(serviceOf(DEMO, 'prometheus')).filter(({ named }) => !named)) {
      cpSync(new URL(source, ROOT), join(container, target));
    }
    const file = join(container, 'etc/prometheus/prometheus.yml');
    const { status, stdout } = spawnSync(promtool ?? '', ['check', 'config', file], { encoding: 'utf8' });
    expect(stdout).toMatch(/SUCCESS: 2 rule files found/);
    expect(status).toBe(0);
  });
});

describe.skipIf(prometheusBinary === undefined || alertmanagerBinary === undefined)(
  'the services of compose.yaml, without containers',
  () => {
    let exporter: RunningExporter;
    let alertmanager: Alertmanager;
    let prometheus: Prometheus;

    beforeAll(async () => {
      exporter = await startExporterProcess(serviceOf(DEMO, 'ollama-exporter').command ?? []);
      alertmanager = await startAlertmanager(
        alertmanagerBinary ?? '',
        readText('prometheus/alertmanager.yml'),
      );
      prometheus = await startPrometheus(prometheusBinary ?? '', {
        'prometheus.yml': configOfTheTest(),
        'alerts.yml': shortenedRules('alerts.yml'),
        'recording.yml': shortenedRules('recording.yml'),
      });
    });

    afterAll(async () => {
      await prometheus?.stop();
      await alertmanager?.stop();
    });

    /** With the addresses and intervals of this test. */
    function configOfTheTest(): string {
      const shipped = parse(readText('deploy/compose/prometheus.yml'));
      const global = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
      return JSON.stringify({ ...shipped, global })
        .replace('ollama-exporter:10434', exporter.url.host)
        .replace('alertmanager:9093', alertmanager.host);
    }

    test('scrape the models of the demo', async () => {
      await expect
        .poll(() => prometheus.query('ollama_model_size_bytes{job="ollama"}'), { timeout: 30_000 })
        .not.toEqual([]);
    });

    test('send an alert to Alertmanager when the exporter is down', async () => {
      exporter.child.kill('SIGTERM');
      const groups = async () => {
        const { body } = await request(`http://${alertmanager.host}/api/v2/alerts/groups`);
        return body.json();
      };
      await expect.poll(groups, { timeout: 60_000, interval: 500 }).toContainEqual({
        labels: { alertname: 'OllamaExporterDown' },
        receiver: { name: 'team' },
        alerts: expect.arrayContaining([
          expect.objectContaining({ labels: expect.objectContaining({ alertname: 'OllamaExporterDown' }) }),
        ]),
      });
    });
  },
);
