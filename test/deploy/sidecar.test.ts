/** The sidecar, and what can be taken in with it: its kustomization and components. */
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

test('elsewhere the sidecar gets a user that is not root, and the volume its group', () => {
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

test.each(COMPONENTS)('the component %s names no user or group: OpenShift assigns them', (component) => {
  expect(componentPatches(component).length).toBeGreaterThan(0);
  expect(JSON.stringify(componentPatches(component))).not.toMatch(USERS);
});

test('the sidecar offers its components, and takes in none by itself', () => {
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

  test('what kustomize makes is what the published schemas allow', () => {
    expect(sidecar.flatMap(({ content }) => schemaProblems(content))).toEqual([]);
  });

  test('Services and PodMonitors lead to ports of the pod, whose numbers differ', () => {
    const ports = containers.flatMap(({ ports = [] }) => ports);
    expect(new Set(ports.map(({ containerPort }) => containerPort)).size).toBe(ports.length);
    const led = [
      ...of.filter(Service.is).flatMap(({ spec }) => spec?.ports?.map(({ targetPort }) => targetPort) ?? []),
      ...of
        .filter(PodMonitor.is)
        .flatMap(({ spec }) => spec.podMetricsEndpoints?.map(({ port }) => port) ?? []),
    ];
    expect(ports.map(({ name }) => name)).toEqual(expect.arrayContaining(led));
  });

  test('clients reach Ollama through the proxy if there is one, at the same address as without', () => {
    const [port] = of.filter(Service.is).flatMap(({ spec }) => spec?.ports ?? []);
    expect(port).toEqual({
      name: 'ollama',
      port: 11434,
      targetPort: components.includes('proxy') ? 'proxy' : 'ollama',
    });
  });

  test('processes are shared, and counters on, only for runners', () => {
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

  test('keeps what the proxy and its process expose, and none of the metrics about Ollama', () => {
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

  test('gives it a job by which OllamaExporterDown knows it, and the instance of the exporter beside it', () => {
    const [job, instance] = proxy?.relabelings ?? [];
    expect(job).toEqual({ targetLabel: 'job', replacement: 'ollama-proxy' });
    expect(instance?.targetLabel).toBe('instance');
    const whole = new RegExp(`^(?:${instance?.regex})$`);
    expect('10.1.2.3:10435'.replace(whole, instance?.replacement ?? '')).toBe('10.1.2.3:10434');
    expect('[fd00::7]:10435'.replace(whole, instance?.replacement ?? '')).toBe('[fd00::7]:10434');
  });
});
