/** Turns the texts that Ollama answers into what they say. */

import { ApiError } from './errors.ts';
import { type InstalledModels, parseInstalledModels } from './installed-models.ts';
import { isRecord, textOf } from './json.ts';
import type { ModelList } from './model-rows.ts';
import { rememberingLast } from './remembering-last.ts';
import { parseRunningModels, type RunningModel } from './running-models.ts';

/** Each is a pure function of the body. @throws ApiError `invalid` or `too_large` */
export interface Parsers {
  readonly ps: (text: string) => ModelList<RunningModel>;
  readonly version: (text: string) => string;
  readonly tags: (text: string) => InstalledModels;
}

export const PARSERS: Parsers = {
  ps: (text) => parseRunningModels(parseJson(text)),
  version: (text) => parseVersion(parseJson(text)),
  tags: (text) => parseInstalledModels(parseJson(text)),
};

/**
 * For one server that is asked again and again: a text that is the same as the last one is not parsed again, and
 * what it says is the same object, so that what was made of that holds, too. Nothing is older for it.
 */
export function parsersWithMemory(): Parsers {
  return { ps: rememberingLast(PARSERS.ps), version: PARSERS.version, tags: rememberingLast(PARSERS.tags) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError('invalid', `the answer (${text.length} characters) is not JSON`, { cause });
  }
}

function parseVersion(body: unknown): string {
  const version = isRecord(body) ? textOf(body['version']) : '';
  if (version === '') {
    throw new ApiError('invalid', 'the answer is not a JSON object with a "version"');
  }
  return version;
}
