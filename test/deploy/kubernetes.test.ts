/** The manifests against their published schemas, and against the exporter's own options. */
import { Probe } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/Probe';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { describe, expect, test } from 'vitest';
import { readBuildInfo } from '../../src/config/build-info.ts';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { environmentName, OPTION_LIST } from '../../src/config/options.ts';
import { FAMILIES } from '../../src/metrics/families.ts';
import { parseOllamaHost } from '../../src/ollama/host.ts';
import { loadConfigFile } from '../../src/targets/config-file.ts';
import {
  manifestFiles,
  manifestPath,
  readKustomization,
  readManifests,
  SIDECARS,
  schemaProblems,
  USERS,
} from '../kubernetes.ts';
import { ownMetrics } from '../own-metrics.ts';

/** Volumes that both the restricted standard and restricted-v2 allow. */
const VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

const manifests = manifestFiles().flatMap(readManifests);
const contents: readonly unknown[] = manifests.map(({ content }) => content);
/** The manifests themselves, and the sidecar with its components. */
const deployments = [
  { title: 'the fleet', sidecar: manifests.filter(({ file }) => !file.startsWith('sidecar/')) },
  ...SIDECARS,
].flatMap(({ title, sidecar }) =>
  sidecar
    .map(({ content }: { readonly content: unknown }) => content)
    .filter(Deployment.is)
    .map(({ metadata, spec }) => {
      const { metadata: podMetadata, spec: pod } = spec?.template ?? {};
      const exporters = pod?.containers.filter(({ name }) => name !== 'ollama') ?? [];
      return { title, labels: [metadata?.labels, podMetadata?.labels], pod, exporters };
    }),
);

test.each(manifests)('$kind in $file is valid against its published schema', ({ content }) => {
  // In the schema since 0.66 of the Prometheus Operator; the package has an older one.
  const newer = /^unknown field \/spec\/groups\/\d+\/rules\/\d+\/keep_firing_for$/;
  expect(schemaProblems(content).filter((problem) => !newer.test(problem))).toEqual([]);
});

test('schema validation reports an unknown field', () => {
  const service = manifests.find(({ kind }) => kind === 'Service')?.content;
  const misspelt = JSON.parse(JSON.stringify(service).replace('"targetPort"', '"tagetPort"'));
  expect(schemaProblems(misspelt)).toEqual(['unknown field /spec/ports/0/tagetPort']);
});

test.each(['', 'sidecar/', 'sidecar/runners/', 'sidecar/proxy/'])(
  'the kustomization in deploy/kubernetes/%s lists every file of its folder',
  (folder) => {
    const { resources = [] } = readKustomization(folder);
    const inFolder = manifestFiles().filter((file) => file.startsWith(folder));
    const names = inFolder.map((file) => file.slice(folder.length)).filter((name) => !name.includes('/'));
    expect([...resources].sort()).toEqual(names);
  },
);

test.each(manifests)('$kind in $file sets no user or group, as OpenShift assigns them', ({ content }) => {
  expect(JSON.stringify(content)).not.toMatch(USERS);
});

test('the NetworkPolicy allows DNS on the ports of Kubernetes and OpenShift', () => {
  const ports = contents.filter(NetworkPolicy.is).flatMap(({ spec }) => spec?.egress?.[0]?.ports ?? []);
  expect(ports).toEqual([
    { port: 53, protocol: 'UDP' },
    { port: 53, protocol: 'TCP' },
    { port: 5353, protocol: 'UDP' },
    { port: 5353, protocol: 'TCP' },
  ]);
});

describe.each(deployments)('the pod of $title:', ({ labels, pod, exporters }) => {
  test('exporters accept their arguments and variables, and listen on their container ports', () => {
    expect(exporters).not.toEqual([]);
    for (const { args = [], env = [], ports = [] } of exporters) {
      const known = OPTION_LIST.map((option) => environmentName(option));
      expect(env.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
      const variables = Object.fromEntries(env.flatMap(({ name, value }) => (value ? [[name, value]] : [])));
      const invocation = parseCommandLine(args, variables, '');
      expect(invocation).toMatchObject({ kind: 'run' });
      const config: Readonly<Record<string, unknown>> = invocation.kind === 'run' ? invocation.config : {};
      const listens = [config['proxyListenAddresses'] ?? [], config['listenAddresses']].flat();
      expect(listens).toMatchObject(ports.map(({ containerPort }) => ({ port: containerPort })));
    }
  });

  test('the image has the version of this package', () => {
    const version = readBuildInfo().version.replace(/-dev$/, '');
    for (const { image } of exporters) {
      expect(image).toBe(`ghcr.io/ollama-exporter/ollama-exporter:${version}`);
    }
    const labelled = labels.flatMap((of) => of?.['app.kubernetes.io/version'] ?? []);
    expect(labelled.filter((label) => label !== version)).toEqual([]);
  });

  test('the pod meets the restricted pod security standard and restricted-v2, as in docs/installation.md', () => {
    expect(pod?.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    for (const { securityContext } of pod?.containers ?? []) {
      expect(securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      });
    }
    const volumes = (pod?.volumes ?? []).flatMap(({ name: _, ...kind }) => Object.keys(kind));
    expect(VOLUMES).toEqual(expect.arrayContaining(volumes));
    expect(pod).not.toHaveProperty('hostNetwork');
  });
});

test('the modules file defines the module of the Probe, which allows all its targets', async () => {
  const probe = contents.find(Probe.is)?.spec;
  const { modules } = await loadConfigFile(manifestPath('ollama.yml'), 5_000);
  const allow = modules.get(probe?.module ?? '')?.allow;
  const targets = probe?.targets?.staticConfig?.static ?? [];
  expect(targets.length).toBeGreaterThan(0);
  expect(targets.filter((target) => !allow?.allows(parseOllamaHost(target)))).toEqual([]);
});

test("the ServiceMonitor keeps the exporter's own metrics, and none about an Ollama", async () => {
  const endpoint = contents.find(ServiceMonitor.is)?.spec?.endpoints?.[0];
  const kept = new RegExp(`^(?:${endpoint?.metricRelabelings?.[0]?.regex})$`);
  // Metrics of runners and of a proxy, neither of which the fleet has.
  const ofOneOllama = /^ollama_(model|proxy)_/;
  const own = (await ownMetrics()).filter(({ name }) => !ofOneOllama.test(name));
  expect(own.filter(({ name }) => !kept.test(name))).toEqual([]);
  expect(FAMILIES.filter(({ name }) => kept.test(name))).toEqual([]);
});
