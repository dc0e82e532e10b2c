/** The systemd unit and its environment file as they are shipped. */
import { readFileSync } from 'node:fs';

export const UNIT = new URL('../deploy/systemd/ollama-exporter.service', import.meta.url);
const ENVIRONMENT = new URL('../deploy/systemd/ollama-exporter.env', import.meta.url);

interface Directive {
  readonly name: string;
  readonly value: string;
}

/** @throws Error for a line that is neither a section, a directive nor a comment (systemd.syntax(7)) */
function parseUnit(text: string): readonly Directive[] {
  return text.split('\n').flatMap((line) => {
    const [, name, value = ''] = /^(?:\[\w+\]|(\w+)=(.*)|#.*|)$/.exec(line) ?? unreadable(line);
    return name === undefined ? [] : [{ name, value }];
  });
}

function unreadable(line: string): never {
  throw new Error(`not a line of a unit: ${line}`);
}

export const DIRECTIVES = parseUnit(readFileSync(UNIT, 'utf8'));

/** All values of a directive, in their order. */
export function valuesOf(name: string): readonly string[] {
  return DIRECTIVES.filter((directive) => directive.name === name).map(({ value }) => value);
}

/** As systemd splits them, where nothing but single quotes is used; `$$` is a dollar sign (systemd.service(5)). */
export function commandOf(name: 'ExecStart' | 'ExecReload'): readonly string[] {
  const [line = ''] = valuesOf(name);
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain = '']) =>
    (quoted ?? plain).replaceAll('$$', '$'),
  );
}

/** Variables of the environment file, by name: those that it sets, and those in its comments. */
export function environmentFile(): Readonly<Record<'set' | 'suggested', Readonly<Record<string, string>>>> {
  const text = readFileSync(ENVIRONMENT, 'utf8');
  const variables = (pattern: RegExp) =>
    Object.fromEntries([...text.matchAll(pattern)].map(([, name = '', value = '']) => [name, value]));
  return { set: variables(/^(\w+)=(.*)$/gm), suggested: variables(/^#(\w+)=(.*)$/gm) };
}
