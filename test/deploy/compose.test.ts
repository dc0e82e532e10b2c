/** The compose files: what Compose itself does not check. */
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { parseGoDuration } from '../../src/config/go-duration.ts';
import { OPTION_LIST, OPTIONS } from '../../src/config/options.ts';
import { FAMILIES } from '../../src/metrics/families.ts';
import {
  DEMO,
  mounts,
  ROOT,
  readText,
  serviceOf,
  WITH_OLLAMA,
  WITH_PROXY,
  WITH_RUNNERS,
} from '../compose.ts';

const FILES = [DEMO, WITH_OLLAMA, WITH_RUNNERS, WITH_PROXY];
const SERVICES = FILES.flatMap(({ services }) => Object.values(services));

test('the exporter accepts its options, and compose.ollama.yaml makes it scrape the service ollama', () => {
  const { command = [] } = serviceOf(WITH_OLLAMA, 'ollama-exporter');
  const invocation = parseCommandLine(command, {}, '');
  expect(invocation).toMatchObject({ kind: 'run' });
  const { hostname, port } = new URL(
    invocation.kind === 'run' ? String(invocation.config.ollamaUrl?.href) : '',
  );
  expect(serviceOf(WITH_OLLAMA, hostname).environment).toEqual({ OLLAMA_HOST: `0.0.0.0:${port}` });
});

test('the published port is the default port of the exporter', () => {
  const [address] = OPTIONS.listenAddresses.parse(OPTIONS.listenAddresses.fallback);
  expect(serviceOf(DEMO, 'ollama-exporter').ports).toEqual([`127.0.0.1:${address?.port}:${address?.port}`]);
});

test('Prometheus uses the shipped configuration, with the names of the services as targets', () => {
  const shipped = readText('prometheus/prometheus.yml')
    .replace('localhost:9093', 'alertmanager:9093')
    .replace('localhost:10434', 'ollama-exporter:10434');
  expect(parse(readText('deploy/compose/prometheus.yml'))).toEqual(parse(shipped));
});

test('mounted files exist, since Docker creates directories for missing ones', () => {
  const sources = SERVICES.flatMap(mounts).flatMap(({ source, named }) => (named ? [] : [source]));
  expect(sources).toContain('./grafana/ollama.json');
  expect(sources.filter((source) => !existsSync(new URL(source, ROOT)))).toEqual([]);
});

test('mounted files are read-only and have an SELinux label', () => {
  const files = SERVICES.flatMap(mounts).filter(({ named }) => !named);
  expect(files.filter(({ options }) => options !== 'ro,z')).toEqual([]);
});

test('every service drops all capabilities, also if another Compose file is added', () => {
  const names = new Set(FILES.flatMap(({ services }) => Object.keys(services)));
  expect([...names]).toEqual(expect.arrayContaining(['ollama', 'ollama-proxy']));
  for (const name of names) {
    const service = Object.assign({}, ...FILES.map(({ services }) => services[name]));
    expect(service, name).toMatchObject({ cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    expect(service.cap_add, name).toBeUndefined();
  }
});

test('all ports are on 127.0.0.1, and Grafana has login disabled, as in docs/installation.md', () => {
  const ports = SERVICES.flatMap((service) => service.ports ?? []);
  expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  expect(serviceOf(DEMO, 'grafana').environment).toMatchObject({
    GF_AUTH_ANONYMOUS_ORG_ROLE: 'Viewer',
    GF_AUTH_DISABLE_LOGIN_FORM: 'true',
    GF_AUTH_BASIC_ENABLED: 'false',
  });
});

function exposed(job: string, file: string): readonly string[] {
  const { scrape_configs }: { readonly scrape_configs: readonly ScrapeConfig[] } = parse(readText(file));
  const found = scrape_configs.find(({ job_name }) => job_name === job);
  return found?.static_configs.flatMap(({ targets }) => targets) ?? [];
}

interface ScrapeConfig {
  readonly job_name: string;
  readonly static_configs: ReadonlyArray<{
    readonly targets: readonly string[];
    readonly labels?: Readonly<Record<string, string>>;
  }>;
}

describe('compose.runners.yaml', () => {
  const exporter = serviceOf(WITH_RUNNERS, 'ollama-exporter');
  const ollama = serviceOf(WITH_RUNNERS, 'ollama');

  test('adds the exporter to the network and process namespaces of Ollama, and restarts it with Ollama', () => {
    expect(exporter).toMatchObject({ network_mode: 'service:ollama', pid: 'service:ollama' });
    expect(exporter.depends_on).toEqual({ ollama: { condition: 'service_started', restart: true } });
  });

  test("publishes the exporter's port on the service ollama only", () => {
    expect(exporter.ports).toEqual([]);
    expect(readText('compose.runners.yaml')).toContain('ports: !reset []');
    expect(ollama.ports).toEqual(serviceOf(DEMO, 'ollama-exporter').ports);
  });

  test('keeps the host name that Prometheus scrapes', () => {
    const hosts = exposed('ollama', 'deploy/compose/prometheus.yml').map((target) => target.split(':')[0]);
    expect(ollama.networks?.['default']?.aliases).toEqual(hosts);
  });

  test('enables the counters of the runners', () => {
    expect(ollama.environment).toEqual({ LLAMA_ARG_ENDPOINT_METRICS: '1' });
  });

  test('has valid options, and scrapes the loopback interface', () => {
    const invocation = parseCommandLine(exporter.command ?? [], {}, '');
    expect(invocation).toMatchObject({ kind: 'run', config: { ollamaUrl: { hostname: '127.0.0.1' } } });
  });
});

describe('compose.proxy.yaml', () => {
  const proxy = serviceOf(WITH_PROXY, 'ollama-proxy');

  test('has valid options, and publishes the port that the proxy listens on', () => {
    const [, port = ''] = /--proxy\.listen-address=:(\d+)/.exec(proxy.command?.join(' ') ?? '') ?? [];
    expect(proxy.ports).toEqual([`127.0.0.1:${port}:${port}`]);
    expect(parseCommandLine(proxy.command ?? [], {}, '')).toMatchObject({
      kind: 'run',
      config: { ollamaUrl: { hostname: 'ollama' }, proxyListenAddresses: [{ port: Number(port) }] },
    });
  });

  test('has a stop grace period longer than the shutdown grace of the proxy', () => {
    const grace = OPTION_LIST.find(({ flag }) => flag === 'proxy.shutdown-grace');
    const [stop = 0, responses = Number.POSITIVE_INFINITY] = [proxy.stop_grace_period, grace?.fallback].map(
      (text) => parseGoDuration(text ?? ''),
    );
    expect(stop).toBeGreaterThan(responses);
  });

  test("adds a scrape job for the proxy, with the same instance and only the proxy's own metrics", () => {
    const [source] = mounts(serviceOf(WITH_PROXY, 'prometheus'));
    const shipped = parse(readText('deploy/compose/prometheus.yml'));
    const { scrape_configs, ...others } = parse(readText(source?.source ?? ''));
    const [ollama, added, ...more] = scrape_configs;
    expect({ scrape_configs: [ollama], ...others }).toEqual(shipped);
    expect(more).toEqual([]);
    const [instance] = exposed('ollama', 'deploy/compose/prometheus.yml');
    expect(added).toMatchObject({
      job_name: 'ollama-proxy',
      static_configs: [{ targets: ['ollama-proxy:10434'], labels: { instance } }],
      metric_relabel_configs: [{ source_labels: ['__name__'], action: 'keep' }],
    });
    const kept = new RegExp(`^(?:${added.metric_relabel_configs[0].regex})$`);
    expect(FAMILIES.filter(({ name }) => kept.test(name))).toEqual([]);
    expect('ollama_proxy_requests_total').toMatch(kept);
  });

  test('replaces the Prometheus configuration of the demo', () => {
    const [added] = mounts(serviceOf(WITH_PROXY, 'prometheus'));
    const targets = mounts(serviceOf(DEMO, 'prometheus')).map(({ target }) => target);
    expect(targets).toContain(added?.target);
  });
});
