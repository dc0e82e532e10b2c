/** The section of the changelog that becomes the release notes. */
import { expect, test } from 'vitest';
import { releaseNotes } from '../../.github/release-notes.mjs';

const CHANGELOG = `## main / unreleased

* [FEATURE] Not yet.

## 0.1.0 / 2026-11-22

* [FEATURE] First.

### Thanks

## 0.0.3

* [BUGFIX] When?

## 0.0.2 / 2026-10-02
## 0.0.1 / 2026-10-01

* [FEATURE] Something.
`;

test('the release notes are the whole section, without its heading', () => {
  expect(releaseNotes(CHANGELOG, '0.1.0')).toBe('* [FEATURE] First.\n\n### Thanks');
  expect(releaseNotes(CHANGELOG, '0.0.1')).toBe('* [FEATURE] Something.');
});

test.each([
  ['0.3.0', "CHANGELOG.md has no section '## 0.3.0 / <date>'"],
  ['0.0.3', "CHANGELOG.md has '## 0.0.3' where '## 0.0.3 / 2026-11-22' would be the form"],
  ['0.0.2', "CHANGELOG.md says nothing under '## 0.0.2 / 2026-10-02'"],
  ['main', "'main' is not a version to release, which is three numbers: 1.2.3"],
])('version %s is rejected', (version, message) => {
  expect(() => releaseNotes(CHANGELOG, version)).toThrow(new Error(message));
});
