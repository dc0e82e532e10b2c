/** Prepares what the simulated Ollama answers to /api/ps, in the words of Ollama's own answers. */
import { createHash } from 'node:crypto';

/** @typedef {'unchanged' | 'changing'} Mode */

/** Enough that no answer comes again before the ones between have pushed it out of any cache of a few. */
const VARIANTS = 64;

const GIB = 1_024 ** 3;

const FAMILIES = /** @type {const} */ ([
  ['llama', 'llama3.1', '8.0B', 'Q4_K_M'],
  ['qwen3', 'qwen3', '32.8B', 'Q4_K_M'],
  ['gemma3', 'gemma3', '12.2B', 'Q8_0'],
  ['nomic-bert', 'nomic-embed-text', '137M', 'F16'],
]);

/**
 * @param {number} models
 * @param {Mode} mode
 * @param {number} nowMs
 * @returns {Buffer[]} to be sent one after the other, and from the start again
 */
export function psBodies(models, mode, nowMs) {
  return Array.from({ length: mode === 'changing' ? VARIANTS : 1 }, (_, variant) => {
    const rows = Array.from({ length: models }, (_, index) => row(index, variant, nowMs));
    return Buffer.from(JSON.stringify({ models: rows }));
  });
}

/**
 * @param {number} index
 * @param {number} variant size and expiry of every row differ by it, as if all models were in use
 * @param {number} nowMs
 */
function row(index, variant, nowMs) {
  const [family, stem, parameterSize, quantization] = FAMILIES[index % 4] ?? FAMILIES[0];
  const name = `${stem}:bench-${index}`;
  const size = 6 * GIB + index * 1_000_003 + variant * 4_096;
  return {
    name,
    model: name,
    size,
    digest: createHash('sha256').update(name).digest('hex'),
    details: {
      parent_model: '',
      format: 'gguf',
      family,
      families: [family],
      parameter_size: parameterSize,
      quantization_level: quantization,
    },
    expires_at: expiry(nowMs + 3_600_000 + index * 1_000 + variant * 17),
    size_vram: index % 3 === 0 ? size - GIB : size,
    context_length: 32_768,
  };
}

/** @param {number} ms Go writes nanoseconds, without the zeros at their end */
function expiry(ms) {
  return new Date(ms).toISOString().replace('Z', '530129Z');
}
