import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLogger } from '../../src/log/log.ts';
import { LOG_LEVELS } from '../../src/log/log-options.ts';
import { toLogfmt } from '../../src/log/logfmt.ts';

function record(
  logFormat: 'logfmt' | 'json',
  write: (log: ReturnType<typeof createLogger>) => void,
): string[] {
  const lines: string[] = [];
  write(createLogger({ logLevel: 'info', logFormat }, { write: (line) => lines.push(line) }));
  return lines;
}

test('a logfmt line starts with time, level and message', () => {
  const [line] = record('logfmt', (log) => log.warn({ target: 'http://a/', count: 2 }, 'Ollama is down'));
  expect(line).toMatch(
    /^time=\d{4}-\d\d-\d\dT[\d:.]+Z level=WARN msg="Ollama is down" target=http:\/\/a\/ count=2\n$/,
  );
});

test('a JSON line starts with time, level and message', () => {
  const [line = ''] = record('json', (log) => log.info({ count: 2 }, 'Listening'));
  expect(JSON.parse(line)).toEqual({ time: expect.any(String), level: 'INFO', msg: 'Listening', count: 2 });
});

test('a text longer than 256 characters is truncated, a stack trace is not', () => {
  const [line = ''] = record('json', (log) => {
    const err = Object.assign(new Error('x'), { stack: 's'.repeat(1_000) });
    log.error({ target: '𝒳'.repeat(1_000), err, reason: 'y'.repeat(256) }, 'z'.repeat(1_000));
  });
  expect(JSON.parse(line)).toMatchObject({
    target: `${'𝒳'.repeat(128)}…`,
    reason: 'y'.repeat(256),
    err: { stack: 's'.repeat(1_000) },
  });
});

test('lost lines are reported when the next one can be written', () => {
  const lines: string[] = [];
  let full = false;
  const log = createLogger(
    { logLevel: 'info', logFormat: 'logfmt' },
    { write: (line) => !full && lines.push(line) },
  );
  log.info('first');
  full = true;
  log.info('second');
  log.info('third');
  full = false;
  log.info('fourth');
  log.info('fifth');
  expect(
    lines
      .join('')
      .replaceAll(/^time=\S+ /gm, '')
      .split('\n'),
  ).toEqual([
    'level=INFO msg=first',
    'level=WARN msg="Log lines were lost before this one" lines=2',
    'level=INFO msg=fourth',
    'level=INFO msg=fifth',
    '',
  ]);
});

test('lines below the level are omitted', () => {
  const lines = record('logfmt', (log) => {
    for (const level of LOG_LEVELS) {
      log[level](level);
    }
  });
  expect(lines).toHaveLength(3);
});

describe('a value in logfmt', () => {
  const format = (value: unknown) => toLogfmt(JSON.stringify({ time: 't', level: 'INFO', msg: 'm', value }));

  test.each([
    ['plain-1.0/x', 'plain-1.0/x'],
    ['', '""'],
    ['two words', '"two words"'],
    ['a=b', '"a=b"'],
    ['say "x"', '"say \\"x\\""'],
    ['one\ntwo', '"one\\ntwo"'],
    ['\u001b[31m', '"\\u001b[31m"'],
    ['\u009b31m', '"\\u009b31m"'],
    ['\u2028', '"\\u2028"'],
    ['\u202e', '"\\u202e"'],
    ['\u3164', '"\\u3164"'],
    ['\u2800', '"\\u2800"'],
    ['größe', 'größe'],
    [1.5, '1.5'],
    [true, 'true'],
    [null, 'null'],
    [{ a: 'b c' }, '"{\\"a\\":\\"b c\\"}"'],
  ])('%j is written as %s', (value, written) => {
    expect(format(value)).toBe(`time=t level=INFO msg=m value=${written}\n`);
  });

  test('never ends the line or controls a terminal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const line = format(value);
        expect(line.slice(0, -1)).not.toMatch(
          /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u,
        );
        expect(line.endsWith('\n')).toBe(true);
      }),
    );
  });

  test('can be parsed back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const written = format(value).slice('time=t level=INFO msg=m value='.length, -1);
        expect(written.startsWith('"') ? JSON.parse(written) : written).toBe(value);
      }),
    );
  });
});
