/** Reads the manifests for Kubernetes, and finds what their published schemas don't know or allow. */
import { readdirSync, readFileSync } from 'node:fs';
import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor';
import { Probe } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/Probe';
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim';
import { Service } from 'kubernetes-models/v1/Service';
import { parseAllDocuments } from 'yaml';

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

/** @returns what is wrong with it, by the schema of its kind; the paths of fields that the schema does not know */
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

/** The schemas are compiled to code that passes over fields which they don't name: nothing ever reads those. */
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
