/** The compose files as they are shipped. In CI, `docker compose config` validates them. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export const ROOT = new URL('../', import.meta.url);

interface Service {
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
}

interface Mount {
  /** A path in the repository, or the name of a volume. */
  readonly source: string;
  readonly target: string;
  /** As they stand there, `ro,z`; empty for none. */
  readonly options: string;
  readonly named: boolean;
}

export function readText(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

/** What `docker compose up` starts. */
export const DEMO: ComposeFile = parse(readText('compose.yaml'));

/** What is added to it for a real Ollama. */
export const WITH_OLLAMA: ComposeFile = parse(readText('compose.ollama.yaml'));

/** @throws Error for a service that does not exist */
export function serviceOf({ services }: ComposeFile, name: string): Service {
  const service = services[name];
  if (service === undefined) {
    throw new Error(`no service ${name}`);
  }
  return service;
}

export function mounts({ volumes = [] }: Service): readonly Mount[] {
  return volumes.map((volume) => {
    const [source = '', target = '', options = ''] = volume.split(':');
    return { source, target, options, named: !source.startsWith('./') };
  });
}
