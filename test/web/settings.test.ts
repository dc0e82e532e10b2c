import { chmodSync, renameSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { changeDetector } from '../../src/web/settings.ts';
import { temporaryFolder } from '../web-door.ts';

const TIME = new Date('2026-01-01');

function write(file: string, content: string): string {
  writeFileSync(file, content);
  utimesSync(file, TIME, TIME);
  return file;
}

/** Of files that are old enough to tell. */
async function settled(...files: readonly string[]): Promise<() => boolean> {
  await expect.poll(() => changeDetector(files)(), { interval: 10 }).toBe(false);
  return changeDetector(files);
}

describe('a file may have changed', () => {
  test.each<[string, (file: string) => void]>([
    ['written again, with as many bytes and the time from before', (file) => write(file, 'y')],
    ['replaced by another one that looks the same', (file) => renameSync(write(`${file}.new`, 'y'), file)],
    ['appended to', (file) => writeFileSync(file, 'xy')],
    ['removed', (file) => unlinkSync(file)],
    ['made readable for others', (file) => chmodSync(file, 0o640)],
  ])('if it was %s', async (_what, change) => {
    const { folder } = temporaryFolder({});
    const [other, file] = [write(join(folder, 'other'), 'x'), write(join(folder, 'file'), 'x')];
    const mayHaveChanged = await settled(other, file);
    change(file);
    expect(mayHaveChanged()).toBe(true);
  });

  test('if it is a link that leads elsewhere', async () => {
    const { folder } = temporaryFolder({ one: 'x', two: 'x' });
    const link = join(folder, 'link');
    symlinkSync(join(folder, 'one'), link);
    const mayHaveChanged = await settled(link);
    unlinkSync(link);
    symlinkSync(join(folder, 'two'), link);
    expect(mayHaveChanged()).toBe(true);
  });

  test('if it did not exist', async () => {
    const { folder } = temporaryFolder({ other: 'x' });
    const mayHaveChanged = await settled(join(folder, 'file'), join(folder, 'other', 'below'));
    write(join(folder, 'file'), 'x');
    expect(mayHaveChanged()).toBe(true);
  });

  test('if it is so young that it might change again within one tick of the clock', () => {
    const { folder } = temporaryFolder({ file: 'x' });
    expect(changeDetector([join(folder, 'file')])()).toBe(true);
  });
});
