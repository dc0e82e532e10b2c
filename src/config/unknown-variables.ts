/** Finds environment variables that look like options but are not, so that a misspelt one does not go unnoticed. */
import type { Environment } from './command-line.ts';
import { environmentName, OPTION_LIST } from './options.ts';

export interface UnknownVariable {
  readonly name: string;
  /** undefined if none is similar. */
  readonly nearest: string | undefined;
}

const PREFIX = 'OLLAMA_EXPORTER_';

/** Kubernetes and Docker set these for a Service or container whose name starts with ollama-exporter. */
const SERVICE_LINK = /_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;

/** In the order of the environment. */
export function unknownVariables(env: Environment): readonly UnknownVariable[] {
  const known = OPTION_LIST.map(environmentName);
  return Object.entries(env)
    .filter(
      ([name, value]) => name.startsWith(PREFIX) && !known.includes(name) && !isServiceLink(name, value),
    )
    .map(([name]) => ({ name, nearest: nearestTo(name, known) }));
}

function isServiceLink(name: string, value = ''): boolean {
  return SERVICE_LINK.test(name) || (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value));
}

function nearestTo(name: string, known: readonly string[]): string | undefined {
  const wanted = name.slice(PREFIX.length);
  const [nearest] = known
    .map((candidate) => ({ candidate, distance: distance(wanted, candidate.slice(PREFIX.length)) }))
    .sort((a, b) => a.distance - b.distance);
  return nearest !== undefined && nearest.distance <= wanted.length / 2 ? nearest.candidate : undefined;
}

/** The number of characters to add, remove or replace (Levenshtein); 0 if only words before or after are missing. */
function distance(wanted: string, candidate: string): number {
  if (`_${candidate}_`.includes(`_${wanted}_`)) {
    return 0;
  }
  let row = Array.from({ length: candidate.length + 1 }, (_, index) => index);
  for (const [index, character] of [...wanted].entries()) {
    const next = [index + 1];
    for (const [column, other] of [...candidate].entries()) {
      const replaced = (row[column] ?? 0) + Number(character !== other);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
