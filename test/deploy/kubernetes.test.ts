import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor';
import { Probe } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/Probe';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim';
import { Service } from 'kubernetes-models/v1/Service';
import { describe, expect, test } from 'vitest';
import { readBuildInfo } from '../../src/config/build-info.ts';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { environmentName, OPTION_LIST } from '../../src/config/options.ts';
import { FAMILIES } from '../../src/metrics/families.ts';
import { parseOllamaHost } from '../../src/ollama/host.ts';
import { loadConfigFile } from '../../src/targets/config-file.ts';
import { manifestPath, only, readKustomization } from '../kubernetes.ts';
import { ownMetrics } from '../own-metrics.ts';
import { readRules } from '../rule-files.ts';

const SIDECAR = 'sidecar/ollama.yaml';
const kustomization = readKustomization();
const probe = only('probe.yaml', Probe.is).spec;
const monitor = only('servicemonitor.yaml', ServiceMonitor.is).spec;
const podMonitor = only(SIDECAR, PodMonitor.is).spec;
const policy = only('networkpolicy.yaml', NetworkPolicy.is).spec;
const service = only('service.yaml', Service.is);
const pairs = [
  { file: 'deployment.yaml', deployment: only('deployment.yaml', Deployment.is), service },
  { file: SIDECAR, deployment: only(SIDECAR, Deployment.is), service: only(SIDECAR, Service.is) },
].map((pair) => {
  const template = pair.deployment.spec?.template;
  const containers = template?.spec?.containers ?? [];
  const exporter = containers.find(({ name }) => name === 'ollama-exporter');
  return { ...pair, template, containers, exporter, volumes: template?.spec?.volumes };
});
const [fleet, sidecar] = pairs;

describe.each(pairs)('$file:', ({ deployment, template, service, containers, exporter }) => {
  const ports = containers.flatMap((container) => container.ports ?? []);

  test('Deployment and Service select its pods', () => {
    expect(deployment.spec?.selector.matchLabels).toEqual(service.spec?.selector);
    expect(template?.metadata?.labels).toMatchObject(service.spec?.selector ?? { no: 'selector' });
  });

  test('Service and probes name ports that there are', () => {
    const probed = containers.flatMap(({ livenessProbe, readinessProbe }) => [livenessProbe, readinessProbe]);
    const named = [
      ...probed.flatMap((check) => check?.httpGet?.port ?? []),
      ...(service.spec?.ports ?? []).map(({ targetPort }) => targetPort),
    ];
    expect(named.length).toBeGreaterThan(2);
    expect(ports.map(({ name }) => name)).toEqual(expect.arrayContaining(named));
  });

  test('the exporter accepts its arguments and variables, and listens on its port', () => {
    const variables = (exporter?.env ?? []).map(({ name }) => name);
    const known = OPTION_LIST.map((option) => environmentName(option));
    expect(variables.filter((name) => !known.includes(name))).toEqual([]);
    const invocation = parseCommandLine(exporter?.args ?? ['--none'], {}, '');
    const addresses = invocation.kind === 'run' ? invocation.config.listenAddresses : [];
    expect(addresses.map(({ port }) => port)).toEqual(
      exporter?.ports?.map(({ containerPort }) => containerPort),
    );
  });

  test('the image is the one of this version', () => {
    const version = readBuildInfo().version.replace(/-dev$/, '');
    expect(exporter?.image).toBe(`ghcr.io/ollama-exporter/ollama-exporter:${version}`);
    const labelled = [deployment.metadata?.labels, template?.metadata?.labels].flatMap(
      (labels) => labels?.['app.kubernetes.io/version'] ?? [],
    );
    expect(labelled.every((label) => label === version)).toBe(true);
  });

  test('the exporter is restarted when it hangs, whatever Ollama does', () => {
    expect(exporter?.livenessProbe?.httpGet?.path).toBe('/-/healthy');
  });
});

test('the fleet’s exporter gets scrapes when it is ready; the one beside Ollama does not stand in its way', () => {
  expect(fleet?.exporter?.readinessProbe?.httpGet?.path).toBe('/-/ready');
  expect(sidecar?.exporter?.readinessProbe).toBeUndefined();
});

describe('the modules file', () => {
  const [generated] = kustomization.configMapGenerator;
  const [file = ''] = generated?.files ?? [];
  const modules = loadConfigFile(manifestPath(file), 5_000).then((config) => config.modules);

  test('is where the exporter looks for it', () => {
    const mount = fleet?.exporter?.volumeMounts?.[0];
    expect(fleet?.volumes).toEqual([{ name: mount?.name, configMap: { name: generated?.name } }]);
    expect(fleet?.exporter?.args).toEqual([`--config.file=${mount?.mountPath}/${file}`]);
  });

  test('has the module of the Probe, which allows all its targets', async () => {
    const targets = probe?.targets?.staticConfig?.static ?? [];
    const allow = (await modules).get(probe?.module ?? '')?.allow;
    expect(targets.length).toBeGreaterThan(0);
    expect(targets.filter((target) => !allow?.mayAsk(parseOllamaHost(target)))).toEqual([]);
  });

  test('allows nobody else', async () => {
    const allow = (await modules).get(probe?.module ?? '')?.allow;
    const others = ['kubernetes.default.svc.cluster.local:443', '10.96.0.1', 'ollama.lan'];
    expect(others.filter((target) => allow?.mayAsk(parseOllamaHost(target)))).toEqual([]);
  });
});

test('the Probe asks the Service', () => {
  const { name } = service.metadata ?? {};
  const [port] = service.spec?.ports ?? [];
  expect(probe?.prober?.url).toBe(`${name}.${kustomization.namespace}.svc:${port?.port}`);
  expect(probe?.prober?.path).toBe('/probe');
});

test('ServiceMonitor and PodMonitor select what there is, by ports that it has', () => {
  expect(service.metadata?.labels).toMatchObject(monitor?.selector.matchLabels ?? { no: 'selector' });
  expect(monitor?.endpoints?.map(({ port }) => port)).toEqual(service.spec?.ports?.map(({ name }) => name));
  expect(sidecar?.template?.metadata?.labels).toMatchObject(
    podMonitor?.selector.matchLabels ?? { no: 'selector' },
  );
  expect(podMonitor?.podMetricsEndpoints?.map(({ port }) => port)).toEqual(
    sidecar?.exporter?.ports?.map(({ name }) => name),
  );
});

test('what the ServiceMonitor keeps is what the exporter tells of itself, and nothing of an Ollama', async () => {
  const [{ regex = '' } = {}] = monitor?.endpoints?.[0]?.metricRelabelings ?? [];
  const kept = new RegExp(`^(?:${regex})$`);
  const own = await ownMetrics();
  expect(own.filter(({ name }) => !kept.test(name))).toEqual([]);
  expect(FAMILIES.filter(({ name }) => kept.test(name))).toEqual([]);
});

test('OllamaExporterDown knows each job as an exporter’s', () => {
  const { expr } = readRules('alerts.yml').find(({ alert }) => alert === 'OllamaExporterDown') ?? {
    expr: '',
  };
  const [, matcher = ''] = /up\{job=~"(.*?)"\}/.exec(expr) ?? [];
  const jobs = [
    service.metadata?.labels?.[monitor?.jobLabel ?? ''] ?? service.metadata?.name,
    probe?.jobName,
    sidecar?.template?.metadata?.labels?.[podMonitor?.jobLabel ?? ''],
  ];
  expect(matcher).not.toBe('');
  expect(jobs.filter((job) => !new RegExp(`^(?:${matcher})$`).test(job ?? ''))).toEqual([]);
});

test('all is scraped at the interval that the windows of the alerts are made for', () => {
  const scrapes = [probe, ...(monitor?.endpoints ?? []), ...(podMonitor?.podMetricsEndpoints ?? [])];
  expect(scrapes.map((scrape) => scrape?.interval)).toEqual(['15s', '15s', '15s']);
  expect(scrapes.map((scrape) => scrape?.scrapeTimeout)).toEqual(['10s', '10s', '10s']);
});

test('the NetworkPolicy lets Prometheus in to the exporter, and the exporter out to DNS and its targets', () => {
  expect(policy?.podSelector?.matchLabels).toEqual(service.spec?.selector);
  expect(policy?.policyTypes).toEqual(['Ingress', 'Egress']);
  const [ingress, ...others] = policy?.ingress ?? [];
  expect(others).toEqual([]);
  expect(ingress?.from).toHaveLength(1);
  expect(ingress?.from?.[0]).toHaveProperty(
    ['podSelector', 'matchLabels', 'app.kubernetes.io/name'],
    'prometheus',
  );
  expect(ingress?.ports).toEqual(
    fleet?.exporter?.ports?.map(({ containerPort }) => ({ port: containerPort })),
  );
  const out = (policy?.egress ?? []).flatMap(({ ports = [] }) => ports);
  const targets = (probe?.targets?.staticConfig?.static ?? []).map((target) => parseOllamaHost(target).port);
  expect(new Set(out.map(({ port }) => String(port)))).toEqual(new Set(['53', ...targets]));
});

test('the capacity of memory is the limit of the container that Ollama is in, whose models outlive the pod', () => {
  const ollama = sidecar?.containers.find(({ name }) => name === 'ollama');
  const { containerName, resource } = sidecar?.exporter?.env?.[0]?.valueFrom?.resourceFieldRef ?? {};
  expect([containerName, resource]).toEqual([ollama?.name, 'limits.memory']);
  expect(ollama?.resources?.limits).toHaveProperty('memory');
  expect(sidecar?.volumes).toMatchObject([
    {
      name: ollama?.volumeMounts?.[0]?.name,
      persistentVolumeClaim: { claimName: only(SIDECAR, PersistentVolumeClaim.is).metadata?.name },
    },
  ]);
  expect(ollama?.env).toEqual([{ name: 'HOME', value: ollama?.volumeMounts?.[0]?.mountPath }]);
});
