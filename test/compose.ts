/** The compose files as they are shipped, by a schema that knows only what they use of the Compose specification. */
import { existsSync, readFileSync } from 'node:fs';
import * as v from 'valibot';
import { parse } from 'yaml';

export const ROOT = new URL('../', import.meta.url);

/** Strings only, as the program sees them: what YAML makes of `no` or `1.10` has no say then. */
const Environment = v.record(v.string(), v.string());

const Devices = v.strictObject({
  driver: v.literal('nvidia'),
  count: v.literal('all'),
  capabilities: v.tuple([v.literal('gpu')]),
});

const Service = v.strictObject({
  build: v.optional(v.literal('.')),
  image: v.optional(v.string()),
  command: v.optional(v.array(v.string())),
  environment: v.optional(Environment),
  ports: v.optional(v.array(v.string())),
  volumes: v.optional(v.array(v.string())),
  depends_on: v.optional(v.array(v.string())),
  healthcheck: v.optional(v.strictObject({ test: v.tupleWithRest([v.literal('CMD')], v.string()) })),
  restart: v.optional(v.literal('unless-stopped')),
  read_only: v.optional(v.boolean()),
  cap_drop: v.optional(v.array(v.string())),
  security_opt: v.optional(v.array(v.string())),
  deploy: v.optional(
    v.strictObject({
      resources: v.strictObject({ reservations: v.strictObject({ devices: v.array(Devices) }) }),
    }),
  ),
});

const ComposeFile = v.strictObject({
  name: v.optional(v.string()),
  services: v.record(v.string(), Service),
  volumes: v.optional(v.record(v.string(), v.null())),
});

export type Service = v.InferOutput<typeof Service>;
export type ComposeFile = v.InferOutput<typeof ComposeFile>;

/** @throws ValiError where Compose would refuse the file, and for all that the files here have no need of */
export function parseComposeFile(text: string): ComposeFile {
  return v.parse(ComposeFile, parse(text));
}

export function readText(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

/** Compose merges mappings and replaces `command`; other lists it would append to, which no file here asks for. */
export function merged(base: ComposeFile, over: ComposeFile): ComposeFile {
  const services = Object.entries(over.services).map(([name, service]) => [
    name,
    { ...base.services[name], ...service },
  ]);
  return {
    ...base,
    services: { ...base.services, ...Object.fromEntries(services) },
    volumes: { ...base.volumes, ...over.volumes },
  };
}

export interface Mount {
  /** A path in the repository, or the name of a volume. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly named: boolean;
}

export function mounts({ volumes = [] }: Service): readonly Mount[] {
  return volumes.map((volume) => {
    const [source = '', target = '', mode] = volume.split(':');
    return { source, target, readOnly: mode === 'ro', named: !source.startsWith('./') };
  });
}

/** What lies at a path inside a service's container, as a path in the repository. */
export function mounted(service: Service, path: string): string | undefined {
  const mount = mounts(service).find(({ target }) => path === target || path.startsWith(`${target}/`));
  const source = mount && `${mount.source}${path.slice(mount.target.length)}`;
  return source !== undefined && existsSync(new URL(source, ROOT)) ? source : undefined;
}

/** What `docker compose up` starts. */
export const DEMO = parseComposeFile(readText('compose.yaml'));

export function serviceOf({ services }: ComposeFile, name: string): Service {
  return services[name] ?? {};
}

/** `127.0.0.1:3000:3000` → `3000` */
export function published(name: string): string | undefined {
  return serviceOf(DEMO, name).ports?.[0]?.split(':')[1];
}
