/** Turns the reason why a call to Ollama failed into what usually helps. */
import type { ApiError, FailureReason } from './errors.ts';

const BY_REASON: Readonly<Record<FailureReason, string>> = {
  refused:
    'Nobody listens there: is Ollama running? In a container, 127.0.0.1 is the container: use the address of the host.',
  dns: 'The name does not resolve: is it the right one?',
  timeout:
    'It listens, and does not answer. It may be at its start, or loading a model; if it lasts, see its log and start it again.',
  reset: 'The connection was ended without an answer. If Ollama is behind TLS, write https://.',
  tls: 'The certificate is not trusted: name its authority in the tls_config of the module, or correct the name.',
  status: 'Something else answers there, or a proxy before it fails. See the number of the status.',
  too_large: 'What answers there is not Ollama.',
  invalid: 'What answers there is not Ollama, or something before it changes the answer.',
  config: 'A secret or certificate of the module can not be read by the exporter.',
};

export const FORBIDDEN_REMEDY =
  'Ollama refuses this Host header: it listens on loopback only, and then takes local names and private addresses only. Start it with OLLAMA_HOST=0.0.0.0, or let the proxy in front of it send "Host: localhost:11434".';

const BY_STATUS: ReadonlyMap<number | undefined, string> = new Map([
  [403, FORBIDDEN_REMEDY],
  [404, 'An Ollama before 0.1.38 has no list of loaded models; or the path prefix is missing.'],
]);

export function remedyFor({ reason, status }: ApiError): string {
  return BY_STATUS.get(status) ?? BY_REASON[reason];
}
