import { describe, expect, test } from 'vitest';
import { parseMetrics, parseSlots } from '../../src/runners/llama-server.ts';

describe('/slots', () => {
  test('has the number of slots and of busy slots', () => {
    const slot = { id: 0, n_ctx: 4_096, id_task: 260, n_prompt_tokens: 542, next_token: [{ n_decoded: 3 }] };
    const unused = { id: 1, n_ctx: 4_096, speculative: false, is_processing: false, params: {} };
    const text = JSON.stringify([
      { ...slot, is_processing: true },
      unused,
      { ...slot, is_processing: false },
    ]);
    expect(parseSlots(text)).toEqual({ total: 3, busy: 1 });
  });

  test.each([
    ['an empty body', ''],
    ['HTML', '<html>'],
    ['an object', '{"error":{"code":501}}'],
    ['an empty list', '[]'],
    ['a slot without a state', '[{"is_processing":true},{}]'],
    ['an invalid state', '[{"is_processing":1}]'],
    ['an invalid slot', '[null]'],
    ['too many slots', `[${Array(1_025).fill('{"is_processing":true}').join()}]`],
  ])('with %s is invalid', (_what, text) => {
    expect(() => parseSlots(text)).toThrow(expect.objectContaining({ reason: 'invalid' }));
  });

  test('nested too deeply is too_large', () => {
    expect(() => parseSlots('['.repeat(100_000))).toThrow(expect.objectContaining({ reason: 'too_large' }));
  });
});

const NEW = `# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed, excluding cached tokens
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 5
# HELP llamacpp:prompt_tokens_cached_total Number of prompt tokens reused from the cache
# TYPE llamacpp:prompt_tokens_cached_total counter
llamacpp:prompt_tokens_cached_total 4
llamacpp:prompt_seconds_total 0.016782
llamacpp:tokens_predicted_total 1.06182e+06
llamacpp:tokens_predicted_seconds_total 1.12671
llamacpp:n_decode_total 323
llamacpp:requests_processing 2
llamacpp:predicted_tokens_seconds nan
`;

describe('/metrics', () => {
  test('of a recent build has five counters and the number of busy slots', () => {
    expect(parseMetrics(NEW)).toEqual({
      busy: 2,
      counters: {
        prompt_tokens_total: 5,
        prompt_tokens_cached_total: 4,
        prompt_seconds_total: 0.016782,
        tokens_predicted_total: 1_061_820,
        tokens_predicted_seconds_total: 1.12671,
      },
    });
  });

  test('of an old build has no cached tokens', () => {
    const old = NEW.replace(/^llamacpp:prompt_tokens_cached.*\n/m, '');
    expect(parseMetrics(old).counters).not.toHaveProperty('prompt_tokens_cached_total');
  });

  test('accepts the largest exact integer and CRLF line endings', () => {
    const text = `llamacpp:prompt_tokens_total ${2 ** 53}\r\n`;
    expect(parseMetrics(text)).toEqual({ busy: undefined, counters: { prompt_tokens_total: 2 ** 53 } });
  });

  test.each([
    '1e308',
    '9.1e15',
    '-1',
    '-0.5',
    'NaN',
    'nan',
    '+Inf',
    'inf',
    '0x10',
    '1_000',
    '',
    '1e',
    '1e9999',
  ])('with the value %j is invalid', (value) => {
    const text = NEW.replace(/^(llamacpp:tokens_predicted_total) .*$/m, `$1 ${value}`);
    if (value === '') {
      // Without a value, it is not a sample.
      expect(parseMetrics(text).counters).not.toHaveProperty('tokens_predicted_total');
    } else {
      expect(() => parseMetrics(text)).toThrow(expect.objectContaining({ reason: 'invalid' }));
    }
  });

  test.each([
    ['', 'empty'],
    ['go_goroutines 5\n', 'metrics of another program'],
    ['<html>', 'a page'],
  ])('with %j is invalid: %s', (text) => {
    expect(() => parseMetrics(text)).toThrow(expect.objectContaining({ reason: 'invalid' }));
  });
});
