import { expect, test } from 'vitest';
import { createModelLabels } from '../../src/proxy/model-labels.ts';

test.each([...'\u200b\u202e\u3164\uffa0\u2800\ufe0f\n'])(
  'a name with the invisible %j has an empty label',
  (character) => {
    expect(createModelLabels()(`qwen${character}`)).toBe('');
  },
);
