/** The compose files: what Compose itself does not check. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { OPTIONS } from '../../src/config/options.ts';
import { DEMO, mounts, ROOT, readText, serviceOf, WITH_OLLAMA } from '../compose.ts';

const SERVICES = [DEMO, WITH_OLLAMA].flatMap(({ services }) => Object.values(services));

test('the exporter accepts its options, and scrapes the service ollama with compose.ollama.yaml', () => {
  const { command = [] } = serviceOf(WITH_OLLAMA, 'ollama-exporter');
  const invocation = parseCommandLine(command, {}, '');
  expect(invocation).toMatchObject({ kind: 'run' });
  const { hostname, port } = new URL(
    invocation.kind === 'run' ? String(invocation.config.ollamaUrl?.href) : '',
  );
  expect(serviceOf(WITH_OLLAMA, hostname).environment).toEqual({ OLLAMA_HOST: `0.0.0.0:${port}` });
});

test('the exporter is published on the port that it listens on by default', () => {
  const [address] = OPTIONS.listenAddresses.parse(OPTIONS.listenAddresses.fallback);
  expect(serviceOf(DEMO, 'ollama-exporter').ports).toEqual([`127.0.0.1:${address?.port}:${address?.port}`]);
});

test('Prometheus reads the configuration that is shipped, except for the names of the services', () => {
  const shipped = readText('prometheus/prometheus.yml')
    .replace('localhost:9093', 'alertmanager:9093')
    .replace('localhost:10434', 'ollama-exporter:10434');
  expect(parse(readText('deploy/compose/prometheus.yml'))).toEqual(parse(shipped));
});

test('mounted files exist: Docker would make empty folders in their place', () => {
  const sources = SERVICES.flatMap(mounts).flatMap(({ source, named }) => (named ? [] : [source]));
  expect(sources).toContain('./grafana/ollama.json');
  expect(sources.filter((source) => !existsSync(new URL(source, ROOT)))).toEqual([]);
});

test('mounted files are read-only, and labelled for containers where SELinux is enforced', () => {
  const files = SERVICES.flatMap(mounts).filter(({ named }) => !named);
  expect(files.filter(({ options }) => options !== 'ro,z')).toEqual([]);
});

test('no service has a capability or can gain one, also with a real Ollama', () => {
  const names = new Set([DEMO, WITH_OLLAMA].flatMap(({ services }) => Object.keys(services)));
  expect(names).toContain('ollama');
  for (const name of names) {
    const service = { ...DEMO.services[name], ...WITH_OLLAMA.services[name] };
    expect(service, name).toMatchObject({ cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    expect(service.cap_add, name).toBeUndefined();
  }
});

test('all ports are on 127.0.0.1, and nobody can log in to Grafana, as docs/installation.md says', () => {
  const ports = SERVICES.flatMap((service) => service.ports ?? []);
  expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  expect(serviceOf(DEMO, 'grafana').environment).toMatchObject({
    GF_AUTH_ANONYMOUS_ORG_ROLE: 'Viewer',
    GF_AUTH_DISABLE_LOGIN_FORM: 'true',
    GF_AUTH_BASIC_ENABLED: 'false',
  });
});
