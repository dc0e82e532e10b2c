/** The shipped systemd unit and its environment file. */
import { readFileSync } from 'node:fs';

export const UNIT = new URL('../deploy/systemd/ollama-exporter.service', import.meta.url);
const ENVIRONMENT = new URL('../deploy/systemd/ollama-exporter.env', import.meta.url);

/** As systemd splits commands with single quotes only; `$$` is a dollar sign (systemd.service(5)). */
export function commandOf(name: 'ExecStart' | 'ExecReload'): readonly string[] {
  const [, line = ''] = new RegExp(`^${name}=(.*)$`, 'm').exec(readFileSync(UNIT, 'utf8')) ?? [];
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain = '']) =>
    (quoted ?? plain).replaceAll('$$', '$'),
  );
}

/** Variables of the environment file by name: those that are set, and those in its comments. */
export function environmentFile(): Readonly<Record<'set' | 'suggested', Readonly<Record<string, string>>>> {
  const text = readFileSync(ENVIRONMENT, 'utf8');
  const variables = (pattern: RegExp) =>
    Object.fromEntries([...text.matchAll(pattern)].map(([, name = '', value = '']) => [name, value]));
  return { set: variables(/^(\w+)=(.*)$/gm), suggested: variables(/^#(\w+)=(.*)$/gm) };
}
