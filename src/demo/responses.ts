/** Responds to prompts like Ollama: a chat is a stream, an embedding one object. Durations are simulated. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRecord } from '../ollama/json.ts';
import { goJson, rfc3339Nano } from './api.ts';
import { type CatalogModel, GIB, INSTALLED_MODELS } from './catalog.ts';
import type { LoadedModel } from './scheduler.ts';
import { type Work, workOf } from './work.ts';

/** A real server sends a chunk for each token. */
const CHUNK_SECONDS = 0.25;
const CHARACTERS_PER_TOKEN = 4;
const DISK_BYTES_PER_SECOND = 10 * GIB;
/** A request within this time after the load of its model counts as the one that caused the load. */
const JUST_LOADED_MS = 1_000;

/** The part of a request that the simulation reads. */
interface PromptRequest {
  readonly model: string;
  readonly characters: number;
  /** `num_predict`, so that the length of the response is known. */
  readonly generatedTokens: number;
}

export interface Generation {
  readonly model: CatalogModel;
  readonly loadSeconds: number;
  readonly work: Work;
}

/** Writes a response over time, until `signal` fires. */
export type Send = (response: ServerResponse, generation: Generation, signal: AbortSignal) => Promise<void>;

/** @param loaded returns the currently loaded models */
export async function respondToPrompt(
  request: IncomingMessage,
  response: ServerResponse,
  loaded: () => readonly LoadedModel[],
  send: Send,
): Promise<void> {
  const disconnected = new AbortController();
  response.once('close', () => disconnected.abort());
  try {
    const prompt = parseRequest(await json(request));
    const model = INSTALLED_MODELS.find(({ name }) => name === prompt.model);
    if (model === undefined) {
      response.writeHead(404, { 'content-type': 'application/json; charset=utf-8' });
      response.end(goJson({ error: `model '${prompt.model}' not found` }));
      return;
    }
    await send(response, generationOf(prompt, model, loaded()), disconnected.signal);
  } catch (error) {
    if (!disconnected.signal.aborted) {
      response.writeHead(400, { 'content-type': 'application/json; charset=utf-8' });
      response.end(goJson({ error: error instanceof Error ? error.message : String(error) }));
    }
  }
}

function parseRequest(body: unknown): PromptRequest {
  const { model, messages, input, options } = isRecord(body) ? body : {};
  const contents: readonly unknown[] = Array.isArray(messages)
    ? messages.map((message: unknown) => (isRecord(message) ? message['content'] : undefined))
    : [input];
  const limit = isRecord(options) ? options['num_predict'] : undefined;
  return {
    model: typeof model === 'string' ? model : '',
    characters: contents.filter((content) => typeof content === 'string').join('').length,
    generatedTokens: typeof limit === 'number' && limit > 0 ? Math.min(limit, 100_000) : 100,
  };
}

function generationOf(
  prompt: PromptRequest,
  model: CatalogModel,
  loaded: readonly LoadedModel[],
): Generation {
  const since = loaded.find((one) => one.model === model)?.loadedAtMs ?? Number.NEGATIVE_INFINITY;
  const isFirst = Date.now() - since < JUST_LOADED_MS;
  const promptTokens = Math.ceil(prompt.characters / CHARACTERS_PER_TOKEN);
  return {
    model,
    loadSeconds: isFirst ? model.diskBytes / DISK_BYTES_PER_SECOND : 0.01,
    work: workOf(model, { promptTokens, generatedTokens: prompt.generatedTokens }, isFirst),
  };
}

/** `/api/chat`, as a stream. */
export const sendChat: Send = async (response, { model, loadSeconds, work }, signal) => {
  const line = (content: string, rest: object) =>
    `${goJson({ model: model.name, created_at: rfc3339Nano(Date.now()), message: { role: 'assistant', content }, ...rest })}\n`;
  await pause(loadSeconds + work.promptSeconds, signal);
  response.setHeader('content-type', 'application/x-ndjson');
  const chunks = Math.max(1, Math.round(work.generationSeconds / CHUNK_SECONDS));
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    response.write(line(' word'.repeat(Math.round(work.generatedTokens / chunks)), { done: false }));
    await pause(work.generationSeconds / chunks, signal);
  }
  const end = {
    done: true,
    done_reason: 'length',
    total_duration: nanoseconds(loadSeconds + work.promptSeconds + work.generationSeconds),
    load_duration: nanoseconds(loadSeconds),
    // Includes cached tokens.
    prompt_eval_count: work.promptTokens + work.cachedTokens,
    prompt_eval_duration: nanoseconds(work.promptSeconds),
    eval_count: work.generatedTokens,
    eval_duration: nanoseconds(work.generationSeconds),
  };
  response.end(line('', end));
};

/** `/api/embed`, for one text. */
export const sendEmbedding: Send = async (response, { model, loadSeconds, work }, signal) => {
  await pause(loadSeconds + work.promptSeconds, signal);
  response.setHeader('content-type', 'application/json; charset=utf-8');
  const body = {
    model: model.name,
    embeddings: [[0.0123, -0.0456, 0.0789]],
    total_duration: nanoseconds(loadSeconds + work.promptSeconds),
    load_duration: nanoseconds(loadSeconds),
    prompt_eval_count: work.promptTokens,
  };
  response.end(goJson(body));
};

function nanoseconds(seconds: number): number {
  return Math.round(seconds * 1e9);
}

async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  await sleep(seconds * 1_000, undefined, { signal, ref: false });
}
