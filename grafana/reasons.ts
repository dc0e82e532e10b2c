/** Reasons of failed requests as texts for tables. */
import type { FailureReason } from '../src/ollama/errors.ts';
import { words } from './panels.ts';

/** By the label `reason` of `ollama_scrape_error`; the last one exists only in the dashboard. */
const REASON_WORDS: Readonly<Record<FailureReason | 'not scraped', string>> = {
  refused: 'Connection refused',
  dns: 'Name does not resolve',
  timeout: 'No response in time',
  reset: 'Connection reset',
  tls: 'TLS failed',
  status: 'Unexpected HTTP status',
  too_large: 'Response too large',
  invalid: 'Invalid response',
  config: 'Secret or certificate cannot be read',
  resources: 'Exporter has no resources left',
  'not scraped': 'Exporter is not scraped',
};
export const reasonWords = words(
  ...Object.entries(REASON_WORDS).map(([reason, text]) => [reason, text, 'text'] as const),
);
