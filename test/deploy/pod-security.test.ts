import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { describe, expect, test } from 'vitest';
import { manifestFiles, readManifests } from '../kubernetes.ts';
import { RESTRICTED } from '../pod-security.ts';

const pods = manifestFiles()
  .flatMap(readManifests)
  .map(({ content }) => content)
  .filter(Deployment.is)
  .map(({ metadata, spec }) => ({ name: metadata?.name, pod: spec?.template?.spec ?? { containers: [] } }));
const containers = pods.flatMap(({ pod }) =>
  [...pod.containers, ...(pod.initContainers ?? [])].map((container) => ({ ...container, container, pod })),
);

test('there are pods to check, and nothing that the table does not look at', () => {
  expect(containers.map(({ name }) => name)).toEqual(['ollama-exporter', 'ollama', 'ollama-exporter']);
  expect(pods.flatMap(({ pod }) => pod.ephemeralContainers ?? [])).toEqual([]);
});

describe.each(containers)('$image meets the restricted standard:', ({ container, pod }) => {
  test.each(RESTRICTED)('$control', ({ holds }) => {
    expect(holds(container, pod)).toBe(true);
  });
});

test('a container that asks for nothing does not meet it', () => {
  const bare = { name: 'bare' };
  const broken = RESTRICTED.filter(({ holds }) => !holds(bare, { containers: [bare] }));
  expect(broken.map(({ control }) => control)).toEqual([
    'no escalation of privileges',
    'not as root, by what is asked for',
    'a seccomp profile',
    'no capabilities, but for the binding of low ports',
  ]);
});

test('the exporter runs as the user of its image, and writes nowhere', () => {
  const exporters = containers.filter(({ name }) => name === 'ollama-exporter');
  for (const { container, pod } of exporters) {
    expect(pod.securityContext).toMatchObject({ runAsUser: 65532, runAsGroup: 65532 });
    expect(container.securityContext?.readOnlyRootFilesystem).toBe(true);
    expect((container.volumeMounts ?? []).every(({ readOnly }) => readOnly)).toBe(true);
  }
});

test.each(pods)('the pod of $name gets no token of the API server', ({ pod }) => {
  expect(pod.automountServiceAccountToken).toBe(false);
});

test.each(containers)('$image says how much memory it needs, and how much at most', ({ resources }) => {
  expect(resources?.requests).toMatchObject({ cpu: expect.any(String), memory: expect.any(String) });
  expect(resources?.limits).toMatchObject({ memory: expect.any(String) });
});
