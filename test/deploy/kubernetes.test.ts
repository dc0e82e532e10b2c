/** The manifests by their published schemas, and what they say of the exporter by the exporter. */
import { readFileSync } from 'node:fs';
import { Probe } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/Probe';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readBuildInfo } from '../../src/config/build-info.ts';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { environmentName, OPTION_LIST } from '../../src/config/options.ts';
import { FAMILIES } from '../../src/metrics/families.ts';
import { parseOllamaHost } from '../../src/ollama/host.ts';
import { loadConfigFile } from '../../src/targets/config-file.ts';
import { manifestFiles, manifestPath, readManifests, schemaProblems } from '../kubernetes.ts';
import { ownMetrics } from '../own-metrics.ts';

/** Volumes that the restricted standard and restricted-v2 both allow. */
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

function readKustomization(folder: string) {
  return parse(readFileSync(manifestPath(`${folder}kustomization.yaml`), 'utf8'));
}

const manifests = manifestFiles().flatMap(readManifests);
const contents: readonly unknown[] = manifests.map(({ content }) => content);
const deployments = contents.filter(Deployment.is).map(({ metadata, spec }) => {
  const { metadata: podMetadata, spec: pod } = spec?.template ?? {};
  const exporter = pod?.containers.find(({ name }) => name === 'ollama-exporter');
  return { name: metadata?.name, labels: [metadata?.labels, podMetadata?.labels], pod, exporter };
});

test.each(manifests)('$kind in $file is what its published schema allows', ({ content }) => {
  // In the schema since 0.66 of the Prometheus Operator; the package's is older.
  const newer = /^unknown field \/spec\/groups\/\d+\/rules\/\d+\/keep_firing_for$/;
  expect(schemaProblems(content).filter((problem) => !newer.test(problem))).toEqual([]);
});

test('a field that the schema does not know is a problem', () => {
  const service = manifests.find(({ kind }) => kind === 'Service')?.content;
  const misspelt = JSON.parse(JSON.stringify(service).replace('"targetPort"', '"tagetPort"'));
  expect(schemaProblems(misspelt)).toEqual(['unknown field /spec/ports/0/tagetPort']);
});

test.each(['', 'sidecar/'])(
  'the kustomization in deploy/kubernetes/%s has all files of its folder',
  (folder) => {
    const { resources } = readKustomization(folder);
    const inFolder = manifestFiles().filter((file) => file.startsWith(folder));
    const names = inFolder.map((file) => file.slice(folder.length)).filter((name) => !name.includes('/'));
    expect(resources.sort()).toEqual(names);
  },
);

test.each(manifests)('$kind in $file names no user or group: OpenShift assigns them', ({ content }) => {
  expect(JSON.stringify(content)).not.toMatch(/"(runAsUser|runAsGroup|fsGroup|supplementalGroups)":/);
});

test('elsewhere the sidecar gets a user that is not root, and the volume its group', () => {
  const patches: ReadonlyArray<{ readonly patch: string }> = readKustomization('sidecar/').patches;
  expect(patches.map(({ patch }) => parse(patch))).toEqual([
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'ollama' },
      spec: {
        template: { spec: { securityContext: { runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532 } } },
      },
    },
  ]);
});

test('the NetworkPolicy lets DNS out by the port of Kubernetes and by that of OpenShift', () => {
  const ports = contents.filter(NetworkPolicy.is).flatMap(({ spec }) => spec?.egress?.[0]?.ports ?? []);
  expect(ports).toEqual([
    { port: 53, protocol: 'UDP' },
    { port: 53, protocol: 'TCP' },
    { port: 5353, protocol: 'UDP' },
    { port: 5353, protocol: 'TCP' },
  ]);
});

describe.each(deployments)('Deployment $name:', ({ labels, pod, exporter }) => {
  test('the exporter accepts its arguments and variables, and listens on its port', () => {
    const variables = (exporter?.env ?? []).map(({ name }) => name);
    const known = OPTION_LIST.map((option) => environmentName(option));
    expect(variables.filter((name) => !known.includes(name))).toEqual([]);
    const invocation = parseCommandLine(exporter?.args ?? [], {}, '');
    expect(invocation).toMatchObject({
      kind: 'run',
      config: { listenAddresses: [{ port: exporter?.ports?.[0]?.containerPort }] },
    });
  });

  test('the image is the one of this version', () => {
    const version = readBuildInfo().version.replace(/-dev$/, '');
    expect(exporter?.image).toBe(`ghcr.io/ollama-exporter/ollama-exporter:${version}`);
    const labelled = labels.flatMap((of) => of?.['app.kubernetes.io/version'] ?? []);
    expect(labelled.filter((label) => label !== version)).toEqual([]);
  });

  test('the pod meets the restricted pod security standard and restricted-v2, as docs/installation.md says', () => {
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

test('the modules file has the module of the Probe, which allows all its targets', async () => {
  const probe = contents.find(Probe.is)?.spec;
  const { modules } = await loadConfigFile(manifestPath('ollama.yml'), 5_000);
  const allow = modules.get(probe?.module ?? '')?.allow;
  const targets = probe?.targets?.staticConfig?.static ?? [];
  expect(targets.length).toBeGreaterThan(0);
  expect(targets.filter((target) => !allow?.mayAsk(parseOllamaHost(target)))).toEqual([]);
});

test('the ServiceMonitor keeps the metrics of the exporter itself, and none of an Ollama', async () => {
  const endpoint = contents.find(ServiceMonitor.is)?.spec?.endpoints?.[0];
  const kept = new RegExp(`^(?:${endpoint?.metricRelabelings?.[0]?.regex})$`);
  expect((await ownMetrics()).filter(({ name }) => !kept.test(name))).toEqual([]);
  expect(FAMILIES.filter(({ name }) => kept.test(name))).toEqual([]);
});
