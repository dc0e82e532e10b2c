/** The measured requests: which API of Ollama they use, and how its responses end. */

/** The format of token counts, end and errors. */
export type Dialect = 'ollama' | 'openai' | 'anthropic';

export interface Api {
  /** The label `api`. */
  readonly name: string;
  readonly dialect: Dialect;
  /** Whether a response without streaming has `"done":true`; the others are JSON without such a mark. */
  readonly hasDone: boolean;
}

function api(path: string, dialect: Dialect, hasDone = false): readonly [string, Api] {
  return [path, { name: path.replace(/^\/(api\/)?/, ''), dialect, hasDone }];
}

const MEASURED: ReadonlyMap<string, Api> = new Map([
  api('/api/generate', 'ollama', true),
  api('/api/chat', 'ollama', true),
  api('/api/embed', 'ollama'),
  api('/api/embeddings', 'ollama'),
  api('/v1/chat/completions', 'openai'),
  api('/v1/completions', 'openai'),
  api('/v1/embeddings', 'openai'),
  api('/v1/responses', 'openai'),
  api('/v1/messages', 'anthropic'),
]);

/** The label `api` of requests that are counted but not measured. */
export const OTHER = 'other';

/** All values of the label `api`. */
export const API_NAMES: readonly string[] = [...[...MEASURED.values()].map(({ name }) => name), OTHER];

/** Without the query. */
export function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

/** @returns undefined for requests that are counted as `other` */
export function measuredApi(method: string | undefined, path: string): Api | undefined {
  return method === 'POST' ? MEASURED.get(path) : undefined;
}

/** The format in which a client expects errors, measured or not. */
export function dialectOf(path: string): Dialect {
  const known = MEASURED.get(path)?.dialect;
  return known ?? (path.startsWith('/v1/') ? 'openai' : 'ollama');
}
