/** The section of the changelog that becomes the text of a release. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { releaseNotes } from '../../.github/release-notes.mjs';

const CHANGELOG = `## main / unreleased

* [FEATURE] Not yet.

## 0.2.0 / 2027-01-31

* [CHANGE] Second.

### Thanks

## 0.2.0-rc.1 / 2027-01-15

* [CHANGE] Nearly.

## 0.1.0 / 2026-11-22

* [FEATURE] First.
* [BUGFIX] Also.

## 0.0.3

* [BUGFIX] When?

## 0.0.2 / 2026-10-02
## 0.0.1 / 2026-10-01

* [FEATURE] Something.
`;

test('a section ends where the next one starts', () => {
  expect(releaseNotes(CHANGELOG, '0.2.0')).toBe('* [CHANGE] Second.\n\n### Thanks');
});

test('a section in the middle is whole, without its heading', () => {
  expect(releaseNotes(CHANGELOG, '0.1.0')).toBe('* [FEATURE] First.\n* [BUGFIX] Also.');
});

test('the last section ends with the file', () => {
  expect(releaseNotes(CHANGELOG, '0.0.1')).toBe('* [FEATURE] Something.');
});

test.each([
  ['0.3.0', "CHANGELOG.md has no section '## 0.3.0 / <date>'"],
  ['0.0.3', "CHANGELOG.md has '## 0.0.3' where '## 0.0.3 / 2026-11-22' would be the form"],
  ['0.0.2', "CHANGELOG.md says nothing under '## 0.0.2 / 2026-10-02'"],
  ['0.2.0-rc.1', "'0.2.0-rc.1' is not a version to release, which is three numbers: 1.2.3"],
  ['main', "'main' is not a version to release, which is three numbers: 1.2.3"],
])('%s is refused', (version, message) => {
  expect(() => releaseNotes(CHANGELOG, version)).toThrow(new Error(message));
});

test('the program says what is missing and exits with 1', () => {
  const program = fileURLToPath(new URL('../../.github/release-notes.mjs', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, '987.6.5'], { encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({
    status: 1,
    stdout: '',
    stderr: "release-notes: CHANGELOG.md has no section '## 987.6.5 / <date>'\n",
  });
});
