/** Prometheus's text format 0.0.4, byte by byte as prom-client would write it. */

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
}

/** An empty line, as prom-client has it. */
export const BETWEEN_FAMILIES = '\n';

/** @param labels as the text format writes them, braces included; '' for none */
export type Emit = (labels: string, value: number) => void;

/**
 * @param collect hands over the samples, in their order
 * @returns lines; '' where there are no samples
 */
export function familyText({ name, help, type }: Family, collect: (emit: Emit) => void): string {
  let samples = '';
  collect((labels, value) => {
    samples += `${name}${labels} ${value === Number.POSITIVE_INFINITY ? '+Inf' : value}\n`;
  });
  return samples === '' ? '' : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples}`;
}
