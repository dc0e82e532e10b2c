/** The parsers, without sockets: independent of chunk boundaries, and in bounded memory. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Ends } from '../../src/proxy/ends.ts';
import { fieldsOf } from '../../src/proxy/fields.ts';
import { requestHead, responseHead } from '../../src/proxy/head.ts';
import { LastLines } from '../../src/proxy/last-lines.ts';
import { OUTCOMES, outcomeOf } from '../../src/proxy/outcome.ts';

const RUNS = { seed: 11434, numRuns: 1_000 };

/** A text as bytes, split at random. */
function pieces(text: fc.Arbitrary<string>): fc.Arbitrary<{ text: string; parts: Buffer[] }> {
  return fc.tuple(text, fc.array(fc.nat({ max: 400 }), { maxLength: 30 })).map(([whole, cuts]) => {
    const bytes = Buffer.from(whole);
    const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
    return { text: whole, parts: places.slice(1).map((end, index) => bytes.subarray(places[index], end)) };
  });
}

const line = fc.string({ unit: fc.constantFrom('a', 'é', '😀', '{', '"', ' '), maxLength: 40 });
const stream = fc
  .array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\n\n', '\r\n\r\n')), { maxLength: 20 })
  .map((lines) => lines.flat().join(''));

function textOf(kept: LastLines['lines'][number]): string {
  return (kept instanceof Ends ? kept.whole : kept)?.toString() ?? '';
}

test.each([1, 2, 6])('the last %s lines are the same, however the text is split', (most) => {
  const property = fc.property(
    pieces(fc.tuple(stream, line).map((both) => both.join(''))),
    ({ text, parts }) => {
      const lines = new LastLines(most);
      for (const part of parts) {
        lines.push(part);
      }
      const expected = text.split(/\r?\n/).filter((one) => one !== '');
      expect(lines.lines.map((kept) => textOf(kept).replace(/\r$/, ''))).toEqual(expected.slice(-most));
    },
  );
  fc.assert(property, RUNS);
});

test('only the start and end of a text longer than 64 KiB are kept', () => {
  const property = fc.property(
    fc.array(fc.integer({ min: 1, max: 30_000 }), { maxLength: 12 }),
    (lengths) => {
      const ends = new Ends();
      let text = '';
      for (const [index, length] of lengths.entries()) {
        const piece = String.fromCharCode(97 + index).repeat(length);
        ends.push(Buffer.from(piece));
        text += piece;
      }
      const { head, tail } = ends.ends;
      expect(text.startsWith(head) && text.endsWith(tail)).toBe(true);
      expect(ends.whole?.toString()).toBe(text.length <= 64 * 1024 ? text : undefined);
      expect(tail.length).toBeLessThanOrEqual(64 * 1024);
      expect(tail.length).toBeGreaterThanOrEqual(Math.min(text.length, 16 * 1024));
      expect(head.length).toBe(Math.min(text.length, 4 * 1024));
    },
  );
  fc.assert(property, { ...RUNS, numRuns: 200 });
});

test('a text of 3 MB in single bytes uses bounded memory', () => {
  const ends = new Ends();
  for (let index = 0; index < 3_000_000; index += 1) {
    ends.push(Buffer.of(97 + (index % 26)));
  }
  expect(ends.ends.tail.length).toBeLessThan(64 * 1024);
});

test('the fields of a long object are the same as with JSON.parse', () => {
  const figure = fc.integer({ min: 0, max: 1e9 });
  const evil = fc.constantFrom('x', '"eval_count":9', '","model":"b', '\\', '}', 'é');
  const object = fc.record({
    model: fc.constantFrom('a', 'ä/"b"', 'hf.co/x:Q4'),
    response: fc.array(evil, { maxLength: 8 }).map((parts) => parts.join('').repeat(900)),
    done: fc.constant(true),
    context: fc.array(figure, { minLength: 9_000, maxLength: 9_500 }),
    load_duration: figure,
    prompt_eval_count: figure,
    eval_count: figure,
    eval_duration: figure,
  });
  const property = fc.property(object, fc.integer({ min: 1, max: 9_000 }), (fields, step) => {
    const bytes = Buffer.from(`${JSON.stringify(fields)}\n`);
    const ends = new Ends();
    for (let at = 0; at < bytes.length; at += step) {
      ends.push(bytes.subarray(at, at + step));
    }
    const { response: _response, context: _context, ...expected } = fields;
    expect(ends.whole).toBeUndefined();
    expect(fieldsOf(ends)).toMatchObject(expected);
  });
  fc.assert(property, { ...RUNS, numRuns: 60 });
});

test('a truncated long object has no fields', () => {
  const ends = new Ends();
  ends.push(Buffer.from(`{"model":"a","done":true,"context":[${'1,'.repeat(50_000)}1],"eval_count":5,`));
  expect(fieldsOf(ends)).toBeUndefined();
});

test('every status and ending has exactly one outcome', () => {
  const property = fc.property(
    fc.option(fc.integer({ min: 200, max: 999 }), { nil: undefined }),
    fc.constantFrom('complete' as const, 'cut' as const, 'unreachable' as const, 'client_gone' as const),
    fc.option(fc.constantFrom('complete' as const, 'failed' as const, 'missing' as const), {
      nil: undefined,
    }),
    (status, ending, end) => {
      const outcome = outcomeOf(status, ending, end && { end });
      expect(OUTCOMES).toContain(outcome);
      // Never ok for a failure.
      expect(outcome === 'ok' && (ending === 'cut' || end === 'missing' || (status ?? 500) >= 400)).toBe(
        false,
      );
    },
  );
  fc.assert(property, RUNS);
});

describe('in any request or response,', () => {
  const name = fc.constantFrom(
    'X-A',
    'x-a',
    'Connection',
    'KEEP-ALIVE',
    'Te',
    'Upgrade',
    'Host',
    'Accept',
    'transfer-encoding',
    'X-Hop',
    'Content-Type',
  );
  const value = fc.constantFrom('', 'a', 'X-Hop', 'close, x-hop', 'é', 'text/event-stream');
  const raw = fc.array(fc.tuple(name, value), { maxLength: 12 });
  const forThisHop = /^(connection|keep-alive|te|upgrade|transfer-encoding)$/i;

  test('hop-by-hop headers are removed, and the others are unchanged', () => {
    const property = fc.property(raw, (pairs) => {
      const named = pairs
        .filter(([key]) => /^connection$/i.test(key))
        .flatMap(([, text]) => text.toLowerCase().split(/, ?/));
      const expected = pairs
        .filter(([key]) => !forThisHop.test(key) && !named.includes(key.toLowerCase()))
        .flat();
      expect(requestHead(pairs.flat(), new Set()).headers).toEqual(expected);
      expect(responseHead(pairs.flat()).headers).toEqual(expected);
    });
    fc.assert(property, RUNS);
  });
});
