/** The sidecar with its kustomization and components. */
import { readFileSync } from 'node:fs';
import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { Service } from 'kubernetes-models/v1/Service';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { FAMILIES } from '../../src/metrics/families.ts';
import {
  COMPONENTS,
  componentPatches,
  manifestPath,
  readKustomization,
  SIDECARS,
  schemaProblems,
  sidecarWith,
  USERS,
} from '../kubernetes.ts';

test('outside OpenShift, the sidecar runs as a non-root user, whose group owns the volume', () => {
  const { patches } = readKustomization('sidecar/');
  expect(patches?.map(({ patch }) => parse(patch))).toEqual([
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

test.each(COMPONENTS)('the component %s sets no user or group, as OpenShift assigns them', (component) => {
  expect(componentPatches(component).length).toBeGreaterThan(0);
  expect(JSON.stringify(componentPatches(component))).not.toMatch(USERS);
});

test('the sidecar lists its components, and enables none by default', () => {
  const text = readFileSync(manifestPath('sidecar/kustomization.yaml'), 'utf8');
  const [, offered = ''] = /^#components:\n((?:# {2}- .*\n)+)/m.exec(text) ?? [];
  expect([...offered.matchAll(/^# {2}- (\w+)/gm)].map(([, name]) => name)).toEqual(COMPONENTS);
  for (const component of COMPONENTS) {
    expect(readKustomization(`sidecar/${component}/`)).toMatchObject({ kind: 'Component' });
  }
});

describe.each(SIDECARS)('$title:', ({ components, sidecar }) => {
  const of = sidecar.map(({ content }: { readonly content: unknown }) => content);
  const containers = of.filter(Deployment.is).flatMap(({ spec }) => spec?.template.spec?.containers ?? []);

  test('the output of kustomize is valid against the published schemas', () => {
    expect(sidecar.flatMap(({ content }) => schemaProblems(content))).toEqual([]);
  });

  test('Services and PodMonitors refer to ports of the pod, whose numbers are distinct', () => {
    const ports = containers.flatMap(({ ports = [] }) => ports);
    expect(new Set(ports.map(({ containerPort }) => containerPort)).size).toBe(ports.length);
    const referenced = [
      ...of.filter(Service.is).flatMap(({ spec }) => spec?.ports?.map(({ targetPort }) => targetPort) ?? []),
      ...of
        .filter(PodMonitor.is)
        .flatMap(({ spec }) => spec.podMetricsEndpoints?.map(({ port }) => port) ?? []),
    ];
    expect(ports.map(({ name }) => name)).toEqual(expect.arrayContaining(referenced));
  });

  test('the Service points to the proxy if enabled, on the same port as without it', () => {
    const [port] = of.filter(Service.is).flatMap(({ spec }) => spec?.ports ?? []);
    expect(port).toEqual({
      name: 'ollama',
      port: 11434,
      targetPort: components.includes('proxy') ? 'proxy' : 'ollama',
    });
  });

  test('the process namespace is shared, and counters are enabled, only with the component runners', () => {
    const [pod] = of.filter(Deployment.is).map(({ spec }) => spec?.template.spec);
    const ollama = containers.find(({ name }) => name === 'ollama');
    const isOn = components.includes('runners');
    expect(pod?.shareProcessNamespace ?? false).toBe(isOn);
    expect(
      ollama?.env?.some(({ name, value }) => name === 'LLAMA_ARG_ENDPOINT_METRICS' && value === '1'),
    ).toBe(isOn);
  });
});

describe('the PodMonitor of the proxy', () => {
  const [proxy] = sidecarWith(['proxy'])
    .map(({ content }: { readonly content: unknown }) => content)
    .filter(PodMonitor.is)
    .filter(({ metadata }) => metadata?.name === 'ollama-proxy')
    .flatMap(({ spec }) => spec.podMetricsEndpoints ?? []);

  test('keeps the metrics of the proxy and its process, and none about Ollama', () => {
    const kept = new RegExp(`^(?:${proxy?.metricRelabelings?.[0]?.regex})$`);
    expect(FAMILIES.filter(({ name }) => kept.test(name))).toEqual([]);
    for (const name of [
      'ollama_proxy_requests_total',
      'ollama_exporter_build_info',
      'process_cpu_seconds_total',
    ]) {
      expect(name).toMatch(kept);
    }
  });

  test('sets the job that OllamaExporterDown expects, and the instance of the exporter in the same pod', () => {
    const [job, instance] = proxy?.relabelings ?? [];
    expect(job).toEqual({ targetLabel: 'job', replacement: 'ollama-proxy' });
    expect(instance?.targetLabel).toBe('instance');
    const whole = new RegExp(`^(?:${instance?.regex})$`);
    expect('10.1.2.3:10435'.replace(whole, instance?.replacement ?? '')).toBe('10.1.2.3:10434');
    expect('[fd00::7]:10435'.replace(whole, instance?.replacement ?? '')).toBe('[fd00::7]:10434');
  });
});
