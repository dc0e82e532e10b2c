import { describe, expect, test } from 'vitest';
import type { FleetRow } from '../../src/status/fleet.ts';
import { fleetTable } from '../../src/status/fleet-table.ts';

const ROW: FleetRow = {
  target: 'http://gpu-1:11434/',
  module: 'default',
  state: 'up',
  reason: null,
  version: '0.33.0',
  loaded_models: 2,
  size_vram: 12 * 1024 ** 3,
  vram_capacity: 24 * 1024 ** 3,
  vram_share: 0.5,
  spilled_models: 1,
  probed_at: '2026-01-01T00:00:00.000Z',
  age_seconds: 12.3,
};
const UNKNOWN = {
  version: null,
  loaded_models: null,
  size_vram: null,
  vram_share: null,
  spilled_models: null,
};
const row = (host: string, more: Partial<FleetRow> = {}): FleetRow => ({
  ...ROW,
  target: `http://${host}:11434/`,
  ...more,
});

const render = (rows: readonly FleetRow[], query = '') => fleetTable(rows, new URLSearchParams(query)).text;
const servers = (text: string) =>
  [...text.matchAll(/role="rowheader"><a[^>]*>([^<:]*)/g)].map(([, name]) => name);
const cells = (text: string) => [...text.matchAll(/<td[^>]*>([^<]*)</g)].map(([, cell]) => cell);

test('a row shows the known values of a target, and links to its page', () => {
  const text = render([row('gpu-1', { module: 'a&b', target: 'https://gpu-1/x?' })]);
  expect(text).toContain(
    '<a href="./?target=https%3A%2F%2Fgpu-1%2Fx%3F&amp;module=a%26b">https://gpu-1/x?</a>',
  );
  expect(cells(text)).toEqual(['a&amp;b', 'Up', '0.33.0', '2', '12.0 GiB', '50%', '1', '12 s']);
});

test('an unknown value is shown as a dash, and a target that is down with its reason', () => {
  expect(cells(render([row('a', { ...UNKNOWN, state: 'down', reason: 'refused' })]))).toEqual([
    'default',
    'Down: refused',
    '–',
    '–',
    '–',
    '–',
    '–',
    '12 s',
  ]);
});

test('a fleet without targets is shown as a sentence', () => {
  const text = render([]);
  expect(text).toContain('No server was probed in the last 10 minutes.');
  expect(text).not.toMatch(/<table|<form/);
});

test('the states are counted', () => {
  const rows = [row('a'), row('b', { state: 'down' }), row('c')];
  expect(render(rows)).toContain('Probed in the last 10 minutes: 2 up, 1 down.');
});

describe('rows are sorted', () => {
  const rows = [
    row('gpu-10', { size_vram: 3 }),
    row('gpu-2', { ...UNKNOWN, state: 'down', reason: 'timeout' }),
    row('gpu-1', { size_vram: 20, state: 'partial', reason: 'status' }),
  ];

  test.each([
    ['', ['gpu-1', 'gpu-2', 'gpu-10']],
    ['fleet-sort=-server', ['gpu-10', 'gpu-2', 'gpu-1']],
    ['fleet-sort=vram', ['gpu-10', 'gpu-1', 'gpu-2']],
    ['fleet-sort=-vram', ['gpu-1', 'gpu-10', 'gpu-2']],
    ['fleet-sort=state', ['gpu-2', 'gpu-1', 'gpu-10']],
    ['fleet-sort=module', ['gpu-1', 'gpu-2', 'gpu-10']],
    ['fleet-sort=nonsense', ['gpu-1', 'gpu-2', 'gpu-10']],
  ])('by %j', (query, order) => {
    expect(servers(render(rows, query))).toEqual(order);
  });

  test('by links in the headings, which reverse the current order and keep the rest of the query', () => {
    const text = render(rows, 'fleet-filter=gpu&fleet-sort=vram');
    expect(text).toContain('aria-sort="ascending"><a href="?fleet-filter=gpu&amp;fleet-sort=-vram">VRAM</a>');
    expect(text).toContain('<a href="?fleet-filter=gpu&amp;fleet-sort=state">State</a>');
    expect(text.match(/aria-sort/g)).toHaveLength(1);
  });
});

describe('rows are filtered', () => {
  const rows = [row('gpu-1'), row('cpu-1', { state: 'down', reason: 'Refused' }), row('gpu-2')];

  test.each([
    ['GPU', ['gpu-1', 'gpu-2']],
    ['refused', ['cpu-1']],
    ['down', ['cpu-1']],
    ['0.33', ['cpu-1', 'gpu-1', 'gpu-2']],
    [' ', ['cpu-1', 'gpu-1', 'gpu-2']],
    ['nothing', []],
  ])('by %j', (wanted, found) => {
    const text = render(
      rows,
      String(new URLSearchParams({ 'fleet-filter': wanted, 'fleet-sort': 'server' })),
    );
    expect(servers(text)).toEqual(found);
    expect(text.includes(`${found.length} of 3 shown.`)).toBe(found.length < 3);
    expect(text).toContain('<input type="hidden" name="fleet-sort" value="server">');
  });

  test('with the filter text escaped in the input', () => {
    expect(render(rows, 'fleet-filter=%22%3E%3Cb')).toContain('value="&quot;&gt;&lt;b"');
  });
});

test('at most 1,000 rows are shown', () => {
  const text = render(Array.from({ length: 1_001 }, (_, index) => row(`gpu-${index}`)));
  expect(servers(text)).toHaveLength(1_000);
  expect(text).toContain('1000 of 1001 shown.');
});
