/** Errors of the proxy itself, in the format of the API that the client uses. */
import { type Dialect, dialectOf } from './apis.ts';

const BODIES: Readonly<Record<Dialect, (message: string, type: string) => object>> = {
  ollama: (message) => ({ error: message }),
  openai: (message, type) => ({ error: { message, type, param: null, code: null } }),
  anthropic: (message, type) => ({ type: 'error', error: { type, message } }),
};

/** @returns JSON, in the format of Ollama for this path */
export function errorBody(path: string, status: number, message: string): Buffer {
  const type = status < 500 ? 'invalid_request_error' : 'api_error';
  return Buffer.from(JSON.stringify(BODIES[dialectOf(path)](message, type)));
}
