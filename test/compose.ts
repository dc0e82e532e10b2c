/** The shipped compose files. In CI, `docker compose config` validates them. */
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
  readonly network_mode?: string;
  readonly pid?: string;
  readonly networks?: Readonly<Record<string, { readonly aliases?: readonly string[] }>>;
  readonly depends_on?:
    | readonly string[]
    | Readonly<Record<string, { readonly condition: string; readonly restart?: boolean }>>;
  readonly stop_grace_period?: string;
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
}

interface Mount {
  /** A path in the repository, or the name of a volume. */
  readonly source: string;
  readonly target: string;
  /** As in the file, `ro,z`; empty for none. */
  readonly options: string;
  readonly named: boolean;
}

export function readText(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

/** Without the parser's warning about Compose's own tag `!reset`. */
function readCompose(path: string): ComposeFile {
  return parse(readText(path), { logLevel: 'error' });
}

/** The services of `docker compose up`. */
export const DEMO = readCompose('compose.yaml');

/** Added for a real Ollama. */
export const WITH_OLLAMA = readCompose('compose.ollama.yaml');

/** Added to both: runners, and a proxy. */
export const WITH_RUNNERS = readCompose('compose.runners.yaml');
export const WITH_PROXY = readCompose('compose.proxy.yaml');

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
