/** Known models with their sizes in Ollama on a 24 GiB GPU. */
import { createHash } from 'node:crypto';

export interface CatalogModel {
  readonly name: string;
  readonly digest: string;
  /** Digest of the file with the weights. */
  readonly blob: string;
  readonly family: string;
  readonly parameterSize: string;
  readonly quantization: string;
  /** RAM and VRAM of the loaded model: weights, KV cache and buffers. */
  readonly sizeBytes: number;
  readonly diskBytes: number;
  readonly contextLength: number;
}

export const GIB = 1024 ** 3;

/** Ollama's default context length from 23 GiB of VRAM (routes.go:2048-2057). */
const DEFAULT_CONTEXT = 32_768;

export const EMBEDDING_MODEL = model(
  'nomic-embed-text:latest',
  'nomic-bert',
  '137M',
  'F16',
  0.54,
  0.26,
  2_048,
);

export const LLAMA = model('llama3.1:8b', 'llama', '8.0B', 'Q4_K_M', 8.91, 4.58);
export const QWEN = model('qwen3:4b', 'qwen3', '4.0B', 'Q4_K_M', 7.06, 2.33);
export const GEMMA = model('gemma3:12b', 'gemma3', '12.2B', 'Q4_K_M', 10.47, 7.59);
export const MISTRAL = model('mistral:7b', 'llama', '7.2B', 'Q4_0', 8.13, 3.83);
export const GPT_OSS = model('gpt-oss:20b', 'gptoss', '20.9B', 'MXFP4', 13.02, 12.85);

/** Small enough to fit next to {@link GPT_OSS} and {@link LLAMA}, and to leave no room for anything else. */
export const RETRIEVAL_MODEL = model('bge-m3:latest', 'bert', '566.70M', 'F16', 1.25, 1.08, 8_192);

/** Smaller than the GPU: two of them fit at a time. */
export const CHAT_MODELS: readonly CatalogModel[] = [LLAMA, QWEN, GEMMA, MISTRAL, GPT_OSS];

/** Larger than the GPU: always spills to RAM. */
export const LARGE_MODEL = model('qwen3:32b', 'qwen3', '32.8B', 'Q4_K_M', 27.84, 18.81);

/** All models on the simulated disk. */
export const INSTALLED_MODELS: readonly CatalogModel[] = [
  EMBEDDING_MODEL,
  RETRIEVAL_MODEL,
  ...CHAT_MODELS,
  LARGE_MODEL,
];

function model(
  name: string,
  family: string,
  parameterSize: string,
  quantization: string,
  sizeGib: number,
  diskGib: number,
  contextLength = DEFAULT_CONTEXT,
): CatalogModel {
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');
  return {
    name,
    digest: hash(name),
    blob: hash(`weights of ${name}`),
    family,
    parameterSize,
    quantization,
    sizeBytes: Math.round(sizeGib * GIB),
    diskBytes: Math.round(diskGib * GIB),
    contextLength,
  };
}
