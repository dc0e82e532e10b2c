import {
  chmodSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Sighting } from '../../src/web/sighting.ts';

const TIME = new Date('2026-01-01');

function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'sighting-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const write = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    utimesSync(join(folder, name), TIME, TIME);
    return join(folder, name);
  };
  return { folder, write };
}

/** Of files that are old enough to tell. */
async function sightingOf(...files: readonly string[]): Promise<Sighting> {
  await expect.poll(() => new Sighting(files).isUpToDate(), { interval: 10 }).toBe(true);
  return new Sighting(files);
}

test.each<[string, (file: string) => void]>([
  [
    'is written again, with as many bytes and the time from before',
    (file) => {
      writeFileSync(file, 'y');
      utimesSync(file, TIME, TIME);
    },
  ],
  [
    'is replaced by another one that looks the same',
    (file) => {
      writeFileSync(`${file}.new`, 'y');
      utimesSync(`${file}.new`, TIME, TIME);
      renameSync(`${file}.new`, file);
    },
  ],
  ['grows', (file) => writeFileSync(file, 'xy')],
  ['vanishes', (file) => unlinkSync(file)],
  ['may be read by others', (file) => chmodSync(file, 0o640)],
])('a file that %s has changed', async (_what, change) => {
  const { write } = newFolder();
  const [other, file] = [write('other', 'x'), write('file', 'x')];
  const sighting = await sightingOf(other, file);
  change(file);
  expect(sighting.isUpToDate()).toBe(false);
});

test('a link that leads elsewhere is a file that has changed', async () => {
  const { folder, write } = newFolder();
  const [one, two, link] = [write('one', 'x'), write('two', 'x'), join(folder, 'link')];
  symlinkSync(one, link);
  const sighting = await sightingOf(link);
  unlinkSync(link);
  symlinkSync(two, link);
  expect(sighting.isUpToDate()).toBe(false);
});

test('a file that appears has changed', async () => {
  const { folder, write } = newFolder();
  const sighting = await sightingOf(join(folder, 'file'));
  write('file', 'x');
  expect(sighting.isUpToDate()).toBe(false);
});

test('a file that was changed just now counts as changed: it might change again within one tick of the clock', () => {
  const { write } = newFolder();
  expect(new Sighting([write('file', 'x')]).isUpToDate()).toBe(false);
});

test('a path that leads through a file is one of no file', async () => {
  const { write } = newFolder();
  const sighting = await sightingOf(join(write('file', 'x'), 'below'));
  expect(sighting.isUpToDate()).toBe(true);
});

test('no files never change', () => {
  expect(new Sighting([]).isUpToDate()).toBe(true);
});
