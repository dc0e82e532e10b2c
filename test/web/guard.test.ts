import { expect, test } from 'vitest';
import { clientOf } from '../../src/web/guard.ts';

test.each([
  ['192.0.2.1', '192.0.2.2', false],
  ['192.0.2.1', '::ffff:192.0.2.1', true],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
  ['2001:db8::1', '2001:db8::ffff:1', true],
  ['2001:db8::1', '2001:db8:0:1::1', false],
  ['fe80::1%br-lan', 'fe80::2%wg_0', true],
  [undefined, '192.0.2.1', false],
])('%s and %s are one client: %s', (one, other, same) => {
  expect(clientOf(one) === clientOf(other)).toBe(same);
});
