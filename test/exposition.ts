/**
 * A strict parser of the Prometheus text format 0.0.4, written from its specification and sharing no code with what
 * it checks: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly help: string;
  readonly type: string;
  readonly samples: readonly Sample[];
}

export type Exposition = ReadonlyMap<string, Family>;

interface OpenFamily extends Family {
  readonly samples: Sample[];
  readonly seen: Set<string>;
}

const HELP = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/su;
const TYPE = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/su;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/suy;

/** @throws Error at the first violation of the specification, or anything that Prometheus would reject */
export function parseExposition(text: string): Exposition {
  if (!text.endsWith('\n')) {
    throw new Error('the last line does not end in a line feed');
  }
  const families = new Map<string, OpenFamily>();
  let help: Help | undefined;
  let current = '';
  for (const line of text
    .slice(0, -1)
    .split('\n')
    .filter((line) => line !== '')) {
    const type = TYPE.exec(line);
    const nextHelp = parseHelp(line);
    if (type !== null) {
      current = addFamily(families, help, type);
    } else if (nextHelp === undefined) {
      addSample(families, current, line);
    }
    help = nextHelp;
  }
  return families;
}

interface Help {
  readonly name: string;
  readonly text: string;
}

function parseHelp(line: string): Help | undefined {
  const [, name, text] = HELP.exec(line) ?? [];
  return name === undefined || text === undefined ? undefined : { name, text };
}

function addFamily(
  families: Map<string, OpenFamily>,
  help: Help | undefined,
  [, name = '', type = '']: RegExpExecArray,
): string {
  if (families.has(name) || help?.name !== name) {
    throw new Error(`${name} has a second TYPE, or no HELP right before it`);
  }
  families.set(name, { help: help.text, type, samples: [], seen: new Set() });
  return name;
}

function addSample(families: ReadonlyMap<string, OpenFamily>, current: string, line: string): void {
  const [, name, labelText, valueText] = SAMPLE.exec(line) ?? [];
  const family = families.get(current);
  if (
    name === undefined ||
    valueText === undefined ||
    family === undefined ||
    !belongsTo(name, current, family)
  ) {
    throw new Error(`not a sample of ${current}: ${JSON.stringify(line)}`);
  }
  const labels = parseLabels(labelText ?? '');
  const series = JSON.stringify([name, Object.entries(labels).sort()]);
  if (family.seen.has(series)) {
    throw new Error(`series twice: ${line}`);
  }
  family.seen.add(series);
  family.samples.push({ labels, value: parseValue(valueText) });
}

/** The samples of a histogram have suffixes. */
function belongsTo(name: string, family: string, { type }: Family): boolean {
  return type === 'histogram'
    ? name.startsWith(family) && /^_(bucket|sum|count)$/.test(name.slice(family.length))
    : name === family;
}

/** @param text without the braces */
function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let position = 0;
  while (position < text.length) {
    LABEL.lastIndex = position;
    const [match, name, value] = LABEL.exec(text) ?? [];
    if (match === undefined || name === undefined || value === undefined || name in labels) {
      throw new Error(`labels not understood at ${position}: ${JSON.stringify(text)}`);
    }
    labels[name] = value.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    position += match.length;
  }
  return labels;
}

/** Go's ParseFloat, as far as needed for an exposition. */
function parseValue(text: string): number {
  if (text === '+Inf' || text === '-Inf') {
    return text === '+Inf' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }
  if (!/^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)) {
    throw new Error(`not a value: ${text}`);
  }
  return Number(text);
}

/** The value of the only series with this name and these labels; undefined if there is none. */
export function sampleValue(
  exposition: Exposition,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const wanted = Object.entries(labels);
  const found = exposition
    .get(name)
    ?.samples.filter((sample) => wanted.every(([label, value]) => sample.labels[label] === value));
  if (found !== undefined && found.length > 1) {
    throw new Error(`${found.length} series of ${name} match ${JSON.stringify(labels)}`);
  }
  return found?.[0]?.value;
}
