import { expect, test } from 'vitest';
import { createLogger } from '../../src/log/log.ts';
import { createRefusalLog } from '../../src/server/refusal-log.ts';

function start(windowMs: number) {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => lines.push(JSON.parse(line));
  const refuse = createRefusalLog(createLogger({ logLevel: 'info', logFormat: 'json' }, { write }), windowMs);
  return { lines, refuse };
}

test('the first refusal of a client is logged at once, and later ones are logged together with their count', async () => {
  const { lines, refuse } = start(50);
  for (const target of ['a', 'b', 'c']) {
    refuse('10.0.0.1', { target });
  }
  refuse('10.0.0.2', { target: 'd' });
  expect(lines).toMatchObject([
    { level: 'WARN', msg: 'Refused a probe', client: '10.0.0.1', target: 'a' },
    { msg: 'Refused a probe', client: '10.0.0.2', target: 'd' },
  ]);
  await expect
    .poll(() => lines.slice(2))
    .toMatchObject([{ msg: 'Refused more probes', client: '10.0.0.1', probes: 2 }]);
  refuse('10.0.0.1', { target: 'e' });
  expect(lines[3]).toMatchObject({ msg: 'Refused a probe', target: 'e' });
});

test('a hundred clients are logged separately, and the others together', () => {
  const { lines, refuse } = start(60_000);
  for (let client = 0; client < 3_000; client += 1) {
    refuse(`10.0.${client >> 8}.${client & 255}`, {});
  }
  expect(lines).toHaveLength(101);
  expect(lines.at(-1)).toMatchObject({ client: 'others' });
});

test('the addresses of an IPv6 /64 are one client, and mapped IPv4 addresses are logged as IPv4', () => {
  const { lines, refuse } = start(60_000);
  for (let host = 1; host < 100; host += 1) {
    refuse(`2001:db8::${host}`, {});
  }
  refuse('::ffff:10.0.0.1', {});
  expect(lines).toMatchObject([{ client: '2001:db8::1' }, { client: '10.0.0.1' }]);
});
