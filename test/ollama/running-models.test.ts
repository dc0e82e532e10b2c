import { describe, expect, test } from 'vitest';
import { parseRunningModels } from '../../src/ollama/models.ts';

function row(over: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    model: 'a:1',
    size: 10,
    size_vram: 4,
    digest: 'd1',
    details: { quantization_level: 'Q4' },
    ...over,
  };
}

function parse(...models: readonly unknown[]) {
  return parseRunningModels({ models });
}

const INVISIBLE = [
  '\n',
  '\r',
  '\t',
  '\0',
  '\u007f',
  '\u0085',
  '\u2028',
  '\u2029',
  '\u202e',
  '\u200b',
  // Hangul fillers, the Braille blank, selectors and invisible marks.
  ...'\u3164\u115f\u1160\uffa0\u2800\u034f\u17b4\u180b\ufe0f\u{e0100}',
  '\ufeff',
];

describe('a row', () => {
  test.each<[string, unknown]>([
    ['a string', 'text'],
    ['null', null],
    ['a list', []],
    ['without a name', row({ model: undefined })],
    ['with an empty name', row({ model: '', name: '' })],
    ['without a size', row({ size: undefined })],
    ['with a negative size', row({ size: -1 })],
    ['with a size in words', row({ size: '10' })],
    ['with an infinite size', JSON.parse('{"model":"a","size":1e999}')],
    ['with a negative size_vram', row({ size_vram: -1 })],
    ['with a size beyond an int64', row({ size: 2 ** 63 + 2_048 })],
    ['with a size_vram beyond an int64', row({ size_vram: 1e308 })],
    ['with a name of 1,025 characters', row({ model: 'a'.repeat(1_025) })],
    ['with a name of 15 MiB', row({ model: '😀'.repeat(4 * 1024 * 1024) })],
    [
      'with an HTTP request as its name',
      row({ model: 'GET /api/ps HTTP/1.1\r\nauthorization: Bearer s3cret\r\n' }),
    ],
    ...INVISIBLE.map((character): [string, unknown] => [
      `with ${JSON.stringify(character)} in its name`,
      row({ model: `a${character}b` }),
    ]),
  ])('%s is skipped and counted, and does not affect valid rows', (_, bad) => {
    const parsed = parse(bad, row({ model: 'good' }));
    expect(parsed).toMatchObject({ rows: 2, skipped: 1, models: [{ model: 'good' }] });
  });

  test('without size_vram is on the CPU if it has modified_at, as before v0.1.42', () => {
    const { size_vram: _, ...old } = row({ modified_at: '0001-01-01T00:00:00Z' });
    expect(parse(old).models[0]?.sizeVramBytes).toBe(0);
  });

  test.each([[undefined], [null]])('with size_vram %j has an unknown VRAM size', (size_vram) => {
    expect(parse(row({ size_vram })).models[0]).toMatchObject({ sizeBytes: 10, sizeVramBytes: undefined });
  });

  test('makes the VRAM size of its model unknown if size_vram is missing', () => {
    const twins = [row(), row({ digest: 'd2', size_vram: undefined })];
    expect(parse(...twins).models).toMatchObject([{ sizeBytes: 20, sizeVramBytes: undefined }]);
  });

  test('falls back to name if model is missing', () => {
    expect(parse(row({ model: undefined, name: 'b' }), row({ model: 7, name: 'c' })).models).toMatchObject([
      { model: 'b' },
      { model: 'c' },
    ]);
  });

  test.each(['a'.repeat(1_024), '😀'.repeat(1_024), 'モデル:最新', 'Meta Llama 3 (8B) "x"\\y', '<b>&'])(
    'keeps a printable name: %s',
    (model) => {
      expect(parse(row({ model })).models[0]?.model).toBe(model);
    },
  );

  test.each(['a\nb', 'a'.repeat(257), 'a\u202eb', 'x'.repeat(1024 * 1024)])(
    'drops details that are too long or unprintable',
    (text) => {
      const details = { quantization_level: text, format: text, family: text, parameter_size: text };
      expect(parse(row({ digest: text, details })).models).toMatchObject([
        {
          model: 'a:1',
          quantization: 'unknown',
          details: [{ digest: '', format: '', family: '', parameterSize: '' }],
        },
      ]);
    },
  );

  test.each(['Q4_K_M', 'my own, very "odd" {mix}', 'ä'.repeat(256)])(
    'keeps printable details unchanged: %s',
    (text) => {
      const details = { quantization_level: text, format: text, family: text, parameter_size: text };
      expect(parse(row({ digest: text, details })).models).toMatchObject([
        {
          quantization: text,
          details: [{ digest: text, format: text, family: text, parameterSize: text }],
        },
      ]);
    },
  );

  test.each([[''], [undefined], [null], [4]])(
    'with quantization level %j has the quantization unknown',
    (level) => {
      expect(parse(row({ details: { quantization_level: level } })).models[0]?.quantization).toBe('unknown');
    },
  );

  test.each([[null], [undefined], ['x'], [[]]])('with details %j keeps its sizes', (details) => {
    expect(parse(row({ details })).models).toMatchObject([{ quantization: 'unknown', sizeBytes: 10 }]);
  });

  test.each([[0], [-1], [null], ['4096'], [undefined]])(
    'with context length %j has no context length',
    (context_length) => {
      expect(parse(row({ context_length })).models[0]?.contextLength).toBeUndefined();
    },
  );

  test("is not distinguished by lone surrogates, which UTF-8 can't encode", () => {
    const lone = [row({ model: 'a\ud800', digest: '1' }), row({ model: 'a\udfff', digest: '2' })];
    expect(parse(...lone).models).toMatchObject([{ model: 'a\uFFFD', sizeBytes: 20 }]);
  });
});

describe('rows of one model and quantization', () => {
  const early = '2026-08-22T12:01:00Z';
  const late = '2026-08-22T12:09:00Z';

  test('add up their sizes, and have the largest context and the latest expiry', () => {
    const { models, rows } = parse(
      row({ digest: 'd1', context_length: 8192, expires_at: early }),
      row({ digest: 'd2', context_length: 4096, expires_at: late, size: 20, size_vram: 20 }),
    );
    expect(rows).toBe(2);
    expect(models).toHaveLength(1);
    expect(models[0]).toMatchObject({ sizeBytes: 30, sizeVramBytes: 24, contextLength: 8192 });
    expect(models[0]?.expiresAtMs).toBe(Date.parse(late));
    expect(models[0]?.details.map(({ digest }) => digest)).toEqual(['d1', 'd2']);
  });

  test('have the context and the expiry of the only row that reports them', () => {
    const [model] = parse(
      row({ digest: 'd1' }),
      row({ digest: 'd2', context_length: 7, expires_at: early }),
    ).models;
    expect(model).toMatchObject({ contextLength: 7, expiresAtMs: Date.parse(early) });
  });

  test('are counted once if the digest is repeated', () => {
    expect(parse(row(), row(), row({ details: {} }))).toMatchObject({ rows: 1, models: [{ sizeBytes: 10 }] });
  });

  test('are all counted without a digest', () => {
    expect(parse(row({ digest: '' }), row({ digest: '' }))).toMatchObject({
      rows: 2,
      models: [{ sizeBytes: 20 }],
    });
  });

  test('add up to a finite number', () => {
    const rows = Array.from({ length: 1_000 }, () => row({ size: 2 ** 63, size_vram: 2 ** 63, digest: '' }));
    const [model] = parse(...rows).models;
    expect(model?.sizeBytes).toBe(1_000 * 2 ** 63);
    expect(model?.sizeVramBytes).toBe(1_000 * 2 ** 63);
    expect(parse(row({ size: 1e308 }), row({ size: 1e308, digest: '2' }))).toMatchObject({
      rows: 2,
      skipped: 2,
      models: [],
    });
  });

  test('are not merged with names that look the same when joined', () => {
    const twins = [
      row({ model: 'a,quantization:b', details: { quantization_level: 'c' } }),
      row({ model: 'a', details: { quantization_level: 'b,quantization:c' }, digest: 'd2' }),
    ];
    expect(parse(...twins).models).toHaveLength(2);
  });
});

test('models are sorted by name and quantization, regardless of the row order', () => {
  const names = ['b', 'a', 'C', 'a'].map((model, index) =>
    row({ model, digest: `d${index}`, details: { quantization_level: `Q${9 - index}` } }),
  );
  expect(parse(...names).models.map(({ model, quantization }) => `${model} ${quantization}`)).toEqual([
    'C Q7',
    'a Q6',
    'a Q8',
    'b Q9',
  ]);
});

test('null models are an empty list', () => {
  expect(parseRunningModels({ models: null })).toMatchObject({ rows: 0, skipped: 0, models: [] });
});

test.each([[null], [[]], ['x'], [{}], [{ model: [] }], [{ models: {} }], [{ models: 'x' }], [{ models: 0 }]])(
  '%j is not a valid /api/ps body',
  (body) => {
    expect(() => parseRunningModels(body)).toThrow(expect.objectContaining({ reason: 'invalid' }));
  },
);
