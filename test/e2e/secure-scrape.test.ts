import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import bcrypt from 'bcryptjs';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Authority, type Certificate, newAuthority } from '../certificates.ts';
import { type RunningExporter, startExporterProcess } from './exporter-process.ts';
import { type Prometheus, startPrometheus } from './prometheus-process.ts';

const binaries = inject('prometheus');

const PASSWORD = 'correct horse';

describe('an exporter with TLS, client certificates and basic authentication', () => {
  const folder = mkdtempSync(join(tmpdir(), 'secure-scrape-'));
  let authority: Authority;
  let client: Certificate;
  let exporter: RunningExporter;

  function write(name: string, content: string): string {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  }

  async function newServerCertificate(): Promise<void> {
    const { cert, key } = await authority.issue();
    write('server.pem', cert);
    write('server.key', key);
  }

  beforeAll(async () => {
    authority = await newAuthority();
    client = await authority.issue({ sans: [{ type: 'dns', value: 'prometheus.lan' }] });
    write('ca.pem', authority.cert);
    write('client.pem', client.cert);
    write('client.key', client.key);
    await newServerCertificate();
    const web = write(
      'web.yml',
      `tls_server_config:
  cert_file: server.pem
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [prometheus.lan]
basic_auth_users:
  prometheus: ${bcrypt.hashSync(PASSWORD, 10)}
`,
    );
    exporter = await startExporterProcess(['--demo', `--web.config.file=${web}`]);
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  async function statusOf(
    path: string,
    password: string,
    certificate: Partial<Certificate> = client,
  ): Promise<number> {
    const dispatcher = new Agent({ connect: { ca: authority.cert, ...certificate } });
    const authorization = `Basic ${Buffer.from(`prometheus:${password}`).toString('base64')}`;
    const url = new URL(path, exporter.url.href.replace('http:', 'https:'));
    try {
      const { statusCode, body } = await request(url, { dispatcher, headers: { authorization } });
      await body.dump();
      return statusCode;
    } finally {
      await dispatcher.close();
    }
  }

  test.each([
    '/',
    '/metrics',
    '/probe',
    '/api/fleet',
    '/config',
    '/-/healthy',
    '/-/ready',
    '/-/reload',
    '/nothing',
    '/%zz',
  ])('rejects requests for %s without a password or without a client certificate', async (path) => {
    expect(await statusOf(path, 'wrong')).toBe(401);
    await expect(statusOf(path, PASSWORD, {})).rejects.toThrow();
  });

  test('logs at startup that TLS is enabled', () => {
    expect(exporter.log()).toMatch(/msg="Starting ollama-exporter" .* web_config_file=\S+ tls=true\n/);
    expect(exporter.log()).not.toContain('Listening without TLS');
  });

  test.skipIf(binaries === undefined)(
    'is scraped by a real Prometheus, before and after a certificate change',
    async () => {
      const prometheus: Prometheus = await startPrometheus(binaries?.['prometheus'] ?? '', {
        'prometheus.yml': JSON.stringify({
          global: { scrape_interval: '1s', scrape_timeout: '1s' },
          scrape_configs: [
            {
              job_name: 'ollama',
              scheme: 'https',
              tls_config: {
                ca_file: join(folder, 'ca.pem'),
                cert_file: join(folder, 'client.pem'),
                key_file: join(folder, 'client.key'),
              },
              basic_auth: { username: 'prometheus', password: PASSWORD },
              static_configs: [{ targets: [exporter.url.host] }],
            },
          ],
        }),
      });
      const scrapes = async () => {
        const [series] = await prometheus.query('count_over_time(up{job="ollama"}[5m])');
        return series?.samples[0]?.[1] ?? 0;
      };
      await expect.poll(scrapes, { timeout: 30_000, interval: 200 }).toBeGreaterThan(1);
      await newServerCertificate();
      const before = await scrapes();
      await expect.poll(scrapes, { timeout: 30_000, interval: 200 }).toBeGreaterThan(before + 2);
      // The very first scrape waits for bcrypt, which may take a second on a busy machine.
      const [last] = await prometheus.query('min_over_time(up{job="ollama"}[3s])');
      expect(last?.samples[0]?.[1]).toBe(1);
      expect(await prometheus.query('ollama_loaded_models{job="ollama"}')).toHaveLength(1);
      await prometheus.stop();
    },
  );

  test('caches a checked password', async () => {
    await statusOf('/-/healthy', PASSWORD);
    const before = performance.now();
    for (let scrape = 0; scrape < 20; scrape += 1) {
      expect(await statusOf('/-/healthy', PASSWORD)).toBe(200);
    }
    // Twenty bcrypt comparisons would take more than a second on any machine; this leaves a wide margin.
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  test('exits on SIGTERM, including its thread', async () => {
    exporter.child.kill('SIGTERM');
    expect((await exporter.finished).code).toBe(0);
  });
});
