// Prints the section of CHANGELOG.md for a version, for the release notes: `node .github/release-notes.mjs 0.1.0`.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * @param {string} changelog
 * @param {string} version
 * @returns {string} the text under `## 0.1.0 / 2026-11-22`, the format of Prometheus's own changelogs
 * @throws Error that states what is missing
 */
export function releaseNotes(changelog, version) {
  if (!/^\d+\.\d+\.\d+$/.test(version)) {
    throw new Error(`'${version}' is not a version to release, which is three numbers: 1.2.3`);
  }
  for (const section of changelog.split(/^## /m).slice(1)) {
    const [heading = '', ...lines] = section.split('\n');
    const [name, date = ''] = heading.trim().split(' / ');
    if (name !== version) {
      continue;
    }
    if (!/^\d{4}-\d{2}-\d{2}$/.test(date)) {
      throw new Error(
        `CHANGELOG.md has '## ${heading}' where '## ${version} / 2026-11-22' would be the form`,
      );
    }
    const notes = lines.join('\n').trim();
    if (notes === '') {
      throw new Error(`CHANGELOG.md says nothing under '## ${heading}'`);
    }
    return notes;
  }
  throw new Error(`CHANGELOG.md has no section '## ${version} / <date>'`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const changelog = readFileSync(new URL('../CHANGELOG.md', import.meta.url), 'utf8');
    process.stdout.write(`${releaseNotes(changelog, process.argv[2] ?? '')}\n`);
  } catch (error) {
    process.stderr.write(`release-notes: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}
