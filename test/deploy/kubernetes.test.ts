/** The manifests by their published schemas, and what they say of the exporter by the exporter. */
import { readFileSync } from 'node:fs';
import { Probe } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/Probe';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
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

const manifests = manifestFiles().flatMap(readManifests);
const contents: readonly unknown[] = manifests.map(({ content }) => content);
const deployments = contents.filter(Deployment.is).map(({ metadata, spec }) => {
  const { metadata: podMetadata, spec: pod } = spec?.template ?? {};
  const exporter = pod?.containers.find(({ name }) => name === 'ollama-exporter');
  return { name: metadata?.name, labels: [metadata?.labels, podMetadata?.labels], pod, exporter };
});

test.each(manifests)('$kind in $file is what its published schema allows', ({ content }) => {
  expect(schemaProblems(content)).toEqual([]);
});

test('a field that the schema does not know is a problem', () => {
  const service = manifests.find(({ kind }) => kind === 'Service')?.content;
  const misspelt = JSON.parse(JSON.stringify(service).replace('"targetPort"', '"tagetPort"'));
  expect(schemaProblems(misspelt)).toEqual(['unknown field /spec/ports/0/tagetPort']);
});

test('the kustomization has all files of its folder', () => {
  const { resources } = parse(readFileSync(manifestPath('kustomization.yaml'), 'utf8'));
  expect(resources.sort()).toEqual(manifestFiles().filter((file) => !file.startsWith('sidecar/')));
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

  test('the pod meets the restricted pod security standard, as docs/installation.md says', () => {
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
