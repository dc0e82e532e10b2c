/** Names of models as /api/ps reports them, regardless of how a request spells them. */

const DEFAULT_HOST = /^registry\.ollama\.ai\//i;
const DEFAULT_NAMESPACE = /^library\//i;

/** `llama3` and `registry.ollama.ai/library/llama3:latest` are `llama3:latest` (types/model/name.go, DisplayShortest). */
export function shortestName(name: string): string {
  const short = name.replace(DEFAULT_HOST, '').replace(DEFAULT_NAMESPACE, '');
  return short.includes(':', short.lastIndexOf('/') + 1) ? short : `${short}:latest`;
}
