/**
 * Writes a model for llama.cpp: architecture llama, random weights, a quarter of a megabyte.
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */

const EMBEDDING = 64;
const HEADS = 4;
const BLOCKS = 2;
const FEED_FORWARD = 128;

const ALIGNMENT = 32;

/** The required types of GGUF values, by number. */
const UINT32 = 4;
const INT32 = 5;
const FLOAT32 = 6;
const STRING = 8;
const ARRAY = 9;

/** Values of `llama.pooling_type`. */
const MEAN = 1;

/** Values of `tokenizer.ggml.token_type`. */
const NORMAL = 1;
const UNKNOWN = 2;
const CONTROL = 3;
const BYTE = 6;

interface Token {
  readonly text: string;
  readonly type: number;
}

/** Every byte has a token, so any prompt can be encoded. The others are words of one letter. */
const TOKENS: readonly Token[] = [
  { text: '<unk>', type: UNKNOWN },
  { text: '<s>', type: CONTROL },
  { text: '</s>', type: CONTROL },
  ...Array.from({ length: 256 }, (_, byte) => ({
    text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
    type: BYTE,
  })),
  ...[...'abcdefghijklmnopqrstuvwxyz'].flatMap((letter) => [
    { text: letter, type: NORMAL },
    { text: `▁${letter}`, type: NORMAL },
  ]),
  { text: '▁', type: NORMAL },
];

/** Types of tensors, and of the whole file (`general.file_type`). */
const F32 = 0;
const BF16 = 30;
const MOSTLY_BF16 = 32;

interface Tensor {
  readonly name: string;
  /** The first varies fastest. */
  readonly dimensions: readonly number[];
  readonly values: Float32Array;
}

/**
 * @param seed another one gives other weights, and so another blob
 * @param purpose what Ollama uses it for
 */
export function tinyModel(seed: number, purpose: 'completion' | 'embedding' = 'completion'): Buffer {
  const metadata = [
    text('general.architecture', 'llama'),
    text('general.name', `random ${seed}`),
    number('general.file_type', MOSTLY_BF16),
    number('llama.context_length', 8192),
    number('llama.embedding_length', EMBEDDING),
    number('llama.block_count', BLOCKS),
    number('llama.feed_forward_length', FEED_FORWARD),
    number('llama.attention.head_count', HEADS),
    number('llama.attention.head_count_kv', HEADS),
    number('llama.rope.dimension_count', EMBEDDING / HEADS),
    number('llama.vocab_size', TOKENS.length),
    field('llama.attention.layer_norm_rms_epsilon', FLOAT32, float32(1e-5)),
    text('tokenizer.ggml.model', 'llama'),
    array(
      'tokenizer.ggml.tokens',
      STRING,
      TOKENS.map((token) => string(token.text)),
    ),
    array(
      'tokenizer.ggml.scores',
      FLOAT32,
      TOKENS.map((_, index) => float32(-index)),
    ),
    array(
      'tokenizer.ggml.token_type',
      INT32,
      TOKENS.map(({ type }) => uint32(type)),
    ),
    number('tokenizer.ggml.unknown_token_id', 0),
    number('tokenizer.ggml.bos_token_id', 1),
    number('tokenizer.ggml.eos_token_id', 2),
    ...(purpose === 'embedding' ? [number('llama.pooling_type', MEAN)] : []),
  ];
  const tensors = weights(randomNumbers(seed));
  let offset = 0;
  const bodies = tensors.map(body);
  const infos = tensors.map(({ name, dimensions }, index) => {
    const info = Buffer.concat([
      string(name),
      uint32(dimensions.length),
      ...dimensions.map(uint64),
      uint32(typeOf(dimensions)),
      uint64(offset),
    ]);
    offset += bodies[index]?.length ?? 0;
    return info;
  });
  const head = Buffer.concat([
    Buffer.from('GGUF'),
    uint32(3),
    uint64(tensors.length),
    uint64(metadata.length),
    ...metadata,
    ...infos,
  ]);
  return Buffer.concat([padded(head), ...bodies]);
}

/** llama.cpp accepts vectors as 32-bit floats only. */
function typeOf(dimensions: readonly number[]): number {
  return dimensions.length === 1 ? F32 : BF16;
}

/** A bfloat16 is the upper half of a 32-bit float. */
function body({ dimensions, values }: Tensor): Buffer {
  const halves = new Uint16Array(values.buffer);
  const bytes =
    typeOf(dimensions) === F32 ? values.buffer : halves.filter((_, index) => index % 2 === 1).buffer;
  return padded(Buffer.from(bytes));
}

/**
 * The first dimension of the hidden state is the same for each token, since no block writes to it. The output layer
 * uses it to keep the model from ending a response early, and from generating bytes that are not text.
 */
function weights(random: () => number): readonly Tensor[] {
  const matrix = (name: string, columns: number, rows: number, scale: number): Tensor => ({
    name,
    dimensions: [columns, rows],
    values: Float32Array.from({ length: columns * rows }, () => random() * scale),
  });
  const ones = (name: string): Tensor => ({
    name,
    dimensions: [EMBEDDING],
    values: new Float32Array(EMBEDDING).fill(1),
  });
  const blocks = Array.from({ length: BLOCKS }, (_, block) => {
    const inBlock = (name: string) => `blk.${block}.${name}.weight`;
    return [
      ones(inBlock('attn_norm')),
      matrix(inBlock('attn_q'), EMBEDDING, EMBEDDING, 0.2),
      matrix(inBlock('attn_k'), EMBEDDING, EMBEDDING, 0.2),
      matrix(inBlock('attn_v'), EMBEDDING, EMBEDDING, 0.2),
      withRow(matrix(inBlock('attn_output'), EMBEDDING, EMBEDDING, 0.2), 0, 0),
      ones(inBlock('ffn_norm')),
      matrix(inBlock('ffn_gate'), EMBEDDING, FEED_FORWARD, 0.2),
      matrix(inBlock('ffn_up'), EMBEDDING, FEED_FORWARD, 0.2),
      withRow(matrix(inBlock('ffn_down'), FEED_FORWARD, EMBEDDING, 0.2), 0, 0),
    ];
  }).flat();
  const embeddings = matrix('token_embd.weight', EMBEDDING, TOKENS.length, 1);
  const output = matrix('output.weight', EMBEDDING, TOKENS.length, 0.2);
  for (const [token, { type }] of TOKENS.entries()) {
    embeddings.values[token * EMBEDDING] = 4;
    output.values[token * EMBEDDING] = type === NORMAL ? 0 : -1_000;
  }
  return [embeddings, ones('output_norm.weight'), output, ...blocks];
}

function withRow({ name, dimensions, values }: Tensor, row: number, value: number): Tensor {
  const [columns = 0] = dimensions;
  return { name, dimensions, values: values.slice().fill(value, row * columns, (row + 1) * columns) };
}

/** Numbers from -1 to 1 (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

function field(key: string, type: number, value: Buffer): Buffer {
  return Buffer.concat([string(key), uint32(type), value]);
}

function text(key: string, value: string): Buffer {
  return field(key, STRING, string(value));
}

function number(key: string, value: number): Buffer {
  return field(key, UINT32, uint32(value));
}

function array(key: string, type: number, values: readonly Buffer[]): Buffer {
  return field(key, ARRAY, Buffer.concat([uint32(type), uint64(values.length), ...values]));
}

function string(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes], aligned(bytes.length));
}
