/** How to set an unknown capacity. */
import { type Html, html } from './html.ts';

/** Where the capacity of a server is configured. */
export type CapacitySource =
  /** The module of a target in the query. */
  | { readonly module: string }
  /** Set by the exporter's options, for `--ollama.url`. */
  | { readonly vram: Capacity; readonly memory: Capacity };

type Capacity = number | 'auto' | undefined;

export function capacityAdvice(name: 'vram' | 'memory', source: CapacitySource): Html {
  if ('module' in source) {
    return html`To see utilization, set <code>${name}_capacity</code> in the module <code>${source.module}</code>.`;
  }
  const option = `--ollama.${name}-capacity`;
  return source[name] === 'auto'
    ? html`<code>${option}=auto</code> could not detect the capacity: see the exporter's log. Set the size, such as <code>${option}=24GiB</code>.`
    : html`To see utilization, set <code>${option}=auto</code>, or the size if Ollama runs on another machine.`;
}
