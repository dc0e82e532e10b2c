/**
 * Compares the exporter with Ollama itself: the rows of `/api/ps`, and the table of `ollama ps`. The rules are
 * implemented independently of the exporter.
 */
import { expect } from 'vitest';
import { type Exposition, parseExposition, type Sample, sampleValue } from '../exposition.ts';
import type { Ollama, PsRow } from './ollama.ts';

/** From /api/status. */
interface StatusRow {
  readonly model: string;
  readonly digest: string;
  readonly size: number;
  readonly processor: string;
  readonly context_length: number;
  readonly until: string;
}

let scrapes = 0;

/** Number of scrapes compared with Ollama so far. */
export function scrapesHeld(): number {
  return scrapes;
}

export async function scrape(exporter: URL): Promise<Exposition> {
  scrapes += 1;
  return parseExposition(await (await fetch(new URL('/metrics', exporter))).text());
}

/**
 * Everything is read between two requests to `/api/ps`. If those differ in more than a moving expiry, a model was
 * loaded or unloaded in between, and it is repeated.
 *
 * @returns the exposition that agreed, and the rows that it was compared with
 */
export async function expectAgreement(
  ollama: Ollama,
  exporter: URL,
): Promise<{ readonly exposition: Exposition; readonly rows: readonly PsRow[] }> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const before = await ollama.ps();
    const startMs = Date.now();
    const earlier = await status(exporter);
    const exposition = await scrape(exporter);
    const endMs = Date.now();
    const table = await ollama.cli('ps');
    const later = await status(exporter);
    const after = await ollama.ps();
    if (isDeepEqual(before.map(withoutExpiry), after.map(withoutExpiry))) {
      expectSeries(exposition, before, after, [startMs, endMs]);
      expectTable(table, before.length, [...earlier, ...later], moving(before, after));
      return { exposition, rows: after };
    }
  }
  throw new Error('/api/ps never stayed the same for the time of a scrape');
}

async function status(exporter: URL): Promise<readonly StatusRow[]> {
  const { models }: { readonly models: readonly StatusRow[] } = JSON.parse(
    await (await fetch(new URL('/api/status', exporter))).text(),
  );
  return models;
}

function withoutExpiry({ expires_at, ...row }: PsRow): Omit<PsRow, 'expires_at'> {
  return row;
}

function isDeepEqual(a: readonly unknown[], b: readonly unknown[]): boolean {
  return (
    JSON.stringify(a.map((row) => JSON.stringify(row)).sort()) ===
    JSON.stringify(b.map((row) => JSON.stringify(row)).sort())
  );
}

type Labels = Readonly<Record<string, string>>;

/** The rows with the labels of a series. */
interface Group {
  readonly labels: Labels;
  readonly rows: readonly PsRow[];
}

function groupsOf(rows: readonly PsRow[]): readonly Group[] {
  const labelsOf = ({ name, details }: PsRow) => ({
    model: name,
    quantization: details.quantization_level || 'unknown',
  });
  const keys = new Map(rows.map((row) => [JSON.stringify(labelsOf(row)), labelsOf(row)]));
  return [...keys].map(([key, labels]) => ({
    labels,
    rows: rows.filter((row) => JSON.stringify(labelsOf(row)) === key),
  }));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function expectSeries(
  exposition: Exposition,
  before: readonly PsRow[],
  after: readonly PsRow[],
  [startMs, endMs]: readonly [number, number],
): void {
  const groups = groupsOf(before);
  const expectPerModel = (name: string, of: (rows: readonly PsRow[]) => number) =>
    expect(sorted(samples(exposition, name)), name).toEqual(
      sorted(groups.map(({ labels, rows }) => ({ labels, value: of(rows) }))),
    );
  expect(samples(exposition, 'ollama_up')).toEqual([{ labels: {}, value: 1 }]);
  expect(samples(exposition, 'ollama_loaded_models')).toEqual([{ labels: {}, value: before.length }]);
  expect(samples(exposition, 'ollama_scrape_skipped_models')).toEqual([{ labels: {}, value: 0 }]);
  // Of the runners, which have their own tests.
  const isRunners = ({ labels }: Sample) => labels['api'] === 'runners';
  expect(samples(exposition, 'ollama_scrape_error').filter((sample) => !isRunners(sample))).toEqual([]);
  expectPerModel('ollama_model_size_bytes', (rows) => sum(rows.map(({ size }) => size)));
  expectPerModel('ollama_model_size_vram_bytes', (rows) => sum(rows.map(({ size_vram }) => size_vram)));
  expectPerModel('ollama_model_context_length_tokens', (rows) =>
    Math.max(...rows.map(({ context_length }) => context_length)),
  );
  expect(sorted(samples(exposition, 'ollama_model_info'))).toEqual(
    sorted(groups.flatMap(({ labels, rows }) => rows.map((row) => info(labels, row)))),
  );
  for (const { labels } of groups) {
    const expiry = sampleValue(exposition, 'ollama_model_expires_timestamp_seconds', labels);
    const remaining = sampleValue(exposition, 'ollama_model_expires_in_seconds', labels);
    const [earliest, latest] = [expiryOf(before, labels), expiryOf(after, labels)];
    expect(expiry).toBeGreaterThanOrEqual(earliest);
    expect(expiry).toBeLessThanOrEqual(latest);
    expect(remaining).toBeGreaterThanOrEqual(earliest - endMs / 1_000 - 0.002);
    expect(remaining).toBeLessThanOrEqual(latest - startMs / 1_000 + 0.002);
  }
}

function info(labels: Labels, { digest, details: { format, family, parameter_size } }: PsRow): Sample {
  return { labels: { ...labels, digest, format, family, parameter_size }, value: 1 };
}

const FOREVER_SECONDS = 21 * 365 * 24 * 3_600;

/** Unix seconds, truncated to milliseconds; the latest of the rows with the same labels. */
function expiryOf(rows: readonly PsRow[], { model }: Labels): number {
  const seconds = rows
    .filter(({ name }) => name === model)
    .map(({ expires_at }) => Date.parse(expires_at) / 1_000);
  const latest = Math.max(...seconds);
  return latest - Date.now() / 1_000 > FOREVER_SECONDS ? Number.POSITIVE_INFINITY : latest;
}

function samples(exposition: Exposition, name: string): readonly Sample[] {
  return exposition.get(name)?.samples ?? [];
}

function sorted(list: readonly Sample[]): readonly Sample[] {
  const key = ({ labels }: Sample) => `${labels['model']} ${labels['digest']}`;
  return list.toSorted((a, b) => key(a).localeCompare(key(b)));
}

/** Models whose expiry is always a whole keep_alive away: with `5m`, a millisecond decides if that is 4 minutes. */
function moving(before: readonly PsRow[], after: readonly PsRow[]): readonly string[] {
  const unchanged = new Set(before.map(({ name, expires_at }) => `${name} ${expires_at}`));
  return after
    .filter(({ name, expires_at }) => !unchanged.has(`${name} ${expires_at}`))
    .map(({ name }) => name);
}

/**
 * The status page has the texts of the command line.
 *
 * @param statuses from before and after the table, since the minute may change in between
 */
function expectTable(
  table: string,
  rows: number,
  statuses: readonly StatusRow[],
  moving: readonly string[],
): void {
  const lines = table.trim().split('\n').slice(1);
  expect(lines).toHaveLength(rows);
  for (const line of lines) {
    const [name = '', id = '', size = '', processor = '', context = '', until = ''] = line
      .trim()
      .split(/\s{2,}/);
    const matching = statuses.filter(({ model }) => model === name);
    expect(matching.map(({ digest }) => digest).join(' '), line).toContain(id);
    expect(
      matching.map((row) => row.processor),
      line,
    ).toContain(processor);
    // Two rows with the same name are one row there.
    if (matching.every(({ digest }) => !digest.includes(','))) {
      expect(
        matching.map((row) => humanBytes(row.size)),
        line,
      ).toContain(size);
      expect(
        matching.map(({ context_length }) => String(context_length)),
        line,
      ).toContain(context);
      if (!moving.includes(name)) {
        expect(
          matching.map((row) => cliUntil(row.until)),
          line,
        ).toContain(until);
      }
    }
  }
}

/** `ollama ps` shows "Stopping..." for every model past its expiry. */
function cliUntil(words: string): string {
  return words.startsWith('overdue') ? 'Stopping...' : words;
}

/** format/bytes.go */
function humanBytes(bytes: number): string {
  const [unit, size] = (
    [
      ['TB', 1e12],
      ['GB', 1e9],
      ['MB', 1e6],
      ['KB', 1e3],
    ] as const
  ).find(([, least]) => bytes >= least) ?? ['B', 1];
  const value = bytes / size;
  return `${value >= 10 ? Math.trunc(value) : Number(value.toFixed(1))} ${unit}`;
}
