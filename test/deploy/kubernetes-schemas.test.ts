import { describe, expect, test } from 'vitest';
import { manifestFiles, readKustomization, readManifests, schemaProblems } from '../kubernetes.ts';

const manifests = manifestFiles().flatMap(readManifests);

test.each(manifests)('$kind in $file is what its published schema allows', ({ content }) => {
  expect(schemaProblems(content)).toEqual([]);
});

test.each(manifests)('$kind in $file has the labels that everything has', ({ content }) => {
  expect(content).toHaveProperty(['metadata', 'labels', 'app.kubernetes.io/name']);
});

test('the kustomization has all files of its folder, and says nothing that kustomize does not know', () => {
  const { resources, configMapGenerator, ...rest } = readKustomization();
  expect([...resources].sort()).toEqual(manifestFiles().filter((file) => !file.startsWith('sidecar/')));
  expect(configMapGenerator.map(({ files }) => files)).toEqual([['ollama.yml']]);
  expect(rest).toEqual({
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace: expect.any(String),
    labels: [{ pairs: { release: expect.any(String) } }],
  });
});

describe('a mistake is found:', () => {
  test.each([
    // [kind, right, wrong, problem]
    ['Deployment', '"readOnlyRootFilesystem"', '"readOnlyRootFileSystem"', /unknown field .*FileSystem$/],
    ['Deployment', '"replicas"', '"replica"', /unknown field \/spec\/replica$/],
    ['Deployment', '"containerPort":10434', '"containerPort":"10434"', /must be integer/],
    ['Deployment', '"selector"', '"selectors"', /must have required property selector/],
    ['Service', '"targetPort"', '"tagetPort"', /unknown field \/spec\/ports\/0\/tagetPort$/],
    ['NetworkPolicy', '"podSelector"', '"podSelecter"', /podSelector/],
    ['PersistentVolumeClaim', '"accessModes"', '"accessMode"', /unknown field \/spec\/accessMode$/],
    ['Probe', '"jobName"', '"jobname"', /unknown field \/spec\/jobname$/],
    ['Probe', '"15s"', '"15 seconds"', /must match pattern/],
    ['ServiceMonitor', '"keep"', '"Kepe"', /must be equal to one of the allowed values/],
    ['ServiceMonitor', '"metricRelabelings"', '"metricRelabelConfigs"', /unknown field .*RelabelConfigs$/],
    ['PodMonitor', '"jobLabel"', '"joblabel"', /unknown field \/spec\/joblabel$/],
    ['PrometheusRule', '"annotations"', '"annotation"', /unknown field .*\/annotation$/],
    ['PrometheusRule', '"apiVersion":"monitoring.coreos.com/v1"', '"apiVersion":"v1"', /no schema/],
  ])('in a %s, %s written %s', (kind, right, wrong, problem) => {
    const json = JSON.stringify(manifests.find((manifest) => manifest.kind === kind)?.content);
    expect(json).toContain(right);
    const problems = schemaProblems(JSON.parse(json.replace(right, wrong)));
    expect(problems.join('\n')).toMatch(problem);
  });
});
