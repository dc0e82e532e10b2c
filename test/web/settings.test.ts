import { chmodSync, renameSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { FileError } from '../../src/config/yaml.ts';
import { changeDetector, LiveSettings, readSettings } from '../../src/web/settings.ts';
import { newAuthority } from '../certificates.ts';
import { temporaryFolder } from '../web-server.ts';

const TIME = new Date('2026-01-01');

function writeOldFile(file: string, content: string): string {
  writeFileSync(file, content);
  utimesSync(file, TIME, TIME);
  return file;
}

/** For files that are old enough to be cached. */
async function settled(...files: readonly string[]): Promise<() => boolean> {
  await expect.poll(() => changeDetector(files)(), { interval: 10 }).toBe(false);
  return changeDetector(files);
}

describe('a file counts as changed', () => {
  test.each<[string, (file: string) => void]>([
    ['rewritten with the same size and modification time', (file) => writeOldFile(file, 'y')],
    [
      'replaced by a file with the same size and time',
      (file) => renameSync(writeOldFile(`${file}.new`, 'y'), file),
    ],
    ['appended to', (file) => writeFileSync(file, 'xy')],
    ['removed', (file) => unlinkSync(file)],
    ['made readable for others', (file) => chmodSync(file, 0o640)],
  ])('if it was %s', async (_what, change) => {
    const { folder } = temporaryFolder({});
    const [other, file] = [writeOldFile(join(folder, 'other'), 'x'), writeOldFile(join(folder, 'file'), 'x')];
    const mayHaveChanged = await settled(other, file);
    change(file);
    expect(mayHaveChanged()).toBe(true);
  });

  test('if a symbolic link points to another file', async () => {
    const { folder } = temporaryFolder({ one: 'x', two: 'x' });
    const link = join(folder, 'link');
    symlinkSync(join(folder, 'one'), link);
    const mayHaveChanged = await settled(link);
    unlinkSync(link);
    symlinkSync(join(folder, 'two'), link);
    expect(mayHaveChanged()).toBe(true);
  });

  test('if it did not exist before', async () => {
    const { folder } = temporaryFolder({ other: 'x' });
    const mayHaveChanged = await settled(join(folder, 'file'), join(folder, 'other', 'below'));
    writeOldFile(join(folder, 'file'), 'x');
    expect(mayHaveChanged()).toBe(true);
  });

  test('if it is newer than the resolution of the clock', () => {
    const { folder } = temporaryFolder({ file: 'x' });
    expect(changeDetector([join(folder, 'file')])()).toBe(true);
  });
});

test('settings are read again when a symbolic link changes to an invalid file and back', async () => {
  const { folder } = temporaryFolder({ good: '', broken: '[' });
  const link = join(folder, 'web.yml');
  symlinkSync(join(folder, 'good'), link);
  await settled(link, join(folder, 'broken'));
  const settings = new LiveSettings(link, pino({ level: 'silent' }));
  const usable = ['good', 'broken', 'good'].map((target) => {
    unlinkSync(link);
    symlinkSync(join(folder, target), link);
    return settings.now().usable;
  });
  expect(usable).toEqual([true, false, true]);
});

test('settings can be read only with all certificate files', async () => {
  const { cert, key } = await (await newAuthority()).issue();
  const { folder, write } = temporaryFolder({
    'web.yml': 'tls_server_config: { cert_file: server.crt, key_file: server.key }',
    'server.crt': cert,
  });
  const read = () => readSettings(join(folder, 'web.yml'));
  expect(read).toThrow(FileError);
  expect(read).toThrow(/web.yml: failed to read key_file \(.*server.key\): ENOENT/);
  write('server.key', key);
  expect(read().tls?.options).toMatchObject({ cert, key });
});
