/** Reads the Kubernetes manifests, and validates them against their published schemas. */
import { readdirSync, readFileSync } from 'node:fs';
import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor';
import { Probe } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/Probe';
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim';
import { Service } from 'kubernetes-models/v1/Service';
import { parse, parseAllDocuments } from 'yaml';

const FOLDER = new URL('../deploy/kubernetes/', import.meta.url);

const MODELS = [
  Deployment,
  NetworkPolicy,
  PersistentVolumeClaim,
  PodMonitor,
  Probe,
  PrometheusRule,
  Service,
  ServiceMonitor,
] as const;

export interface Manifest {
  readonly file: string;
  readonly kind: string;
  readonly content: object;
}

export function manifestPath(file: string): string {
  return new URL(file, FOLDER).pathname;
}

/** Fields that OpenShift assigns; it rejects manifests with other values. */
export const USERS = /"(runAsUser|runAsGroup|fsGroup|supplementalGroups)":/;

interface Kustomization {
  readonly kind: string;
  readonly resources?: readonly string[];
  readonly patches?: ReadonlyArray<{ readonly patch: string }>;
}

/** @param folder in deploy/kubernetes, with a trailing slash */
export function readKustomization(folder: string): Kustomization {
  return parse(readFileSync(manifestPath(`${folder}kustomization.yaml`), 'utf8'));
}

export function manifestFiles(): readonly string[] {
  return readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.yaml') && !/(^|\/)kustomization\.yaml$/.test(file))
    .sort();
}

/** All documents of a file; YAML 1.1, as kubectl reads it. */
export function readManifests(file: string): readonly Manifest[] {
  return parseAllDocuments(readFileSync(manifestPath(file), 'utf8'), { version: '1.1' }).map((document) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) {
      throw problem;
    }
    const content: { readonly kind: string } = document.toJS();
    return { file, kind: content.kind, content };
  });
}

/** The kustomize components in deploy/kubernetes/sidecar. */
export const COMPONENTS = ['runners', 'proxy'] as const;

export type Component = (typeof COMPONENTS)[number];

/** The sidecar with these components, as built by kustomize; without the user, which it adds for all. */
export function sidecarWith(components: readonly Component[]): readonly Manifest[] {
  const files = ['ollama.yaml', ...(components.includes('proxy') ? ['proxy/podmonitor.yaml'] : [])];
  const patches = components.flatMap(componentPatches);
  return files
    .flatMap((file) => readManifests(`sidecar/${file}`))
    .map(({ content, ...manifest }) => {
      const own = patches.filter((patch) => identity(patch) === identity(content));
      return { ...manifest, content: own.reduce<Fields>(merged, { ...content }) };
    });
}

/** Each combination of components. */
export const SIDECARS = [[], ...COMPONENTS.map((component) => [component]), [...COMPONENTS]].map(
  (components) => ({
    title: ['the sidecar', ...components].join(' with '),
    components,
    sidecar: sidecarWith(components),
  }),
);

type Fields = Readonly<Record<string, unknown>>;

export function componentPatches(component: Component): readonly Fields[] {
  const { patches = [] } = readKustomization(`sidecar/${component}/`);
  return patches.map(({ patch }) => parse(patch, { version: '1.1' }));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function identity({ kind, metadata }: { readonly kind?: unknown; readonly metadata?: unknown }): string {
  return `${kind} ${isFields(metadata) ? metadata['name'] : ''}`;
}

/** As kustomize merges a patch: list items are the same if they have the same name, or the same port. */
function merged(base: Fields, patch: Fields): Fields {
  const changed = Object.entries(patch).map(([key, value]) => {
    const before = base[key];
    if (Array.isArray(before) && Array.isArray(value)) {
      return [key, mergedList(before, value)] as const;
    }
    return [key, isFields(before) && isFields(value) ? merged(before, value) : value] as const;
  });
  return { ...base, ...Object.fromEntries(changed) };
}

function mergedList(base: readonly unknown[], patch: readonly unknown[]): readonly unknown[] {
  const keyOf = (item: unknown) => (isFields(item) ? (item['name'] ?? item['port']) : item);
  const portOf = (item: unknown) => (isFields(item) ? item['port'] : undefined);
  const isSame = (one: unknown, other: unknown) =>
    keyOf(one) === keyOf(other) || (portOf(one) !== undefined && portOf(one) === portOf(other));
  const kept = base.map((item) => {
    const change = patch.find((candidate) => isSame(item, candidate));
    return isFields(item) && isFields(change) ? merged(item, change) : item;
  });
  return [...kept, ...patch.filter((item) => !base.some((other) => isSame(other, item)))];
}

/** @returns the violations of the schema of its kind, and the paths of unknown fields */
export function schemaProblems(content: object): readonly string[] {
  const model = MODELS.find((candidate) => candidate.is(content));
  if (model === undefined) {
    return ['no schema for this apiVersion and kind'];
  }
  const unread = new Set<string>();
  try {
    model.prototype.validate.call(watched(content, '', unread));
  } catch (error) {
    return [String(error)];
  }
  return [...unread].map((path) => `unknown field ${path}`);
}

/** The schemas are compiled to code that skips unknown fields: nothing reads those. */
function watched(value: object, path: string, unread: Set<string>): object {
  const children = new Map<string | symbol, unknown>();
  for (const key of Object.keys(value)) {
    unread.add(`${path}/${key}`);
  }
  return new Proxy(value, {
    get: (target, key) => {
      unread.delete(`${path}/${String(key)}`);
      const child: unknown = children.get(key) ?? Reflect.get(target, key);
      const isNew = typeof child === 'object' && child !== null && !children.has(key);
      const shown = isNew ? watched(child, `${path}/${String(key)}`, unread) : child;
      children.set(key, shown);
      return shown;
    },
  });
}
