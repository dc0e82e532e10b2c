import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseHostPattern } from '../../src/targets/host-pattern.ts';

/** The equivalent regular expression of a pattern. */
function asRegExp(glob: string): RegExp {
  const [, any = '', rest = ''] = /^(\*\.)?(.*)$/.exec(glob) ?? [];
  const labels = rest.replaceAll('.', '\\.').replaceAll('*', '[^.]*').replaceAll('?', '[^.]');
  return new RegExp(`^${any && '([^.]+\\.)+'}${labels}$`);
}

const label = (...characters: readonly string[]) =>
  fc.string({ unit: fc.constantFrom(...characters), minLength: 1, maxLength: 6 });
const globs = fc
  .array(label('a', 'b', '*', '?'), { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join('.'));
const hosts = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 });

test('a pattern matches the same names as the equivalent regular expression', () => {
  fc.assert(
    fc.property(globs, hosts, (glob, host) => {
      expect(parseHostPattern(glob)(host)).toBe(asRegExp(glob).test(host));
    }),
    { numRuns: 20_000 },
  );
});

test.each([
  ['gpu-*-*-*.lan', `gpu-${'-'.repeat(2_000)}`],
  [`${'*a'.repeat(30)}b`, 'a'.repeat(4_000)],
  [`*.${'*.'.repeat(100)}b`, 'a.'.repeat(2_000)],
  [`${'?'.repeat(60)}*b`, 'a'.repeat(4_000)],
])('the pattern %j matches a name of 4,000 characters in milliseconds', (glob, host) => {
  const matches = parseHostPattern(glob);
  const start = performance.now();
  for (let times = 0; times < 100; times += 1) {
    expect(matches(host)).toBe(false);
  }
  expect(performance.now() - start).toBeLessThan(1_000);
});
