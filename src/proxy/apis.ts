/** The requests that are measured: which API of Ollama they use, and how its answers end. */

/** How the API writes its figures, its end and its errors. */
export type Dialect = 'ollama' | 'openai' | 'anthropic';

export interface Api {
  /** The label `api`. */
  readonly name: string;
  readonly dialect: Dialect;
  /** Whether a whole answer says `"done":true`; the others are JSON, and have no end mark but that. */
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

/** The label `api` of requests that are counted and not looked into. */
export const OTHER = 'other';

/** All values of the label `api`. */
export const API_NAMES: readonly string[] = [...[...MEASURED.values()].map(({ name }) => name), OTHER];

/** Without its query. */
export function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

/** @returns undefined for requests that are counted as `other` */
export function measuredApi(method: string | undefined, path: string): Api | undefined {
  return method === 'POST' ? MEASURED.get(path) : undefined;
}

/** In which shape a client expects an error, measured or not. */
export function dialectOf(path: string): Dialect {
  const known = MEASURED.get(path)?.dialect;
  return known ?? (path.startsWith('/v1/') ? 'openai' : 'ollama');
}
