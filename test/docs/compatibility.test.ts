import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ROOT, readPage, section } from '../markdown.ts';
import { NODES } from '../matrix.mjs';

const PAGE = readPage('docs/compatibility.md');

test('the Node.js versions are the tested ones', () => {
  const [, cell = ''] = /^\| Node\.js \| ([^|]*) \|/m.exec(section(PAGE, 'Supported versions')) ?? [];
  const [oldest = '', ...lines] = NODES;
  expect(cell).toBe(`${oldest.split('.')[0]} (${oldest} and later), ${lines.join(', ')}`);
  expect(readPage('README.md')).toContain(`Node.js ${oldest} or later`);
});

test('the Ollama versions that change how /api/ps is parsed are listed', () => {
  const source = readFileSync(new URL('src/ollama/models.ts', ROOT), 'utf8');
  const versions = source.match(/(?<=v)0\.\d+\.\d+/g) ?? [];
  expect(versions.length).toBeGreaterThan(2);
  for (const version of versions) {
    expect(PAGE).toContain(version.replace(/^0\.10\.0$/, '0.10'));
  }
});
