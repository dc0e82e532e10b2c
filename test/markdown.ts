/** Reads the documentation: its sections, tables, code blocks and anchors. */
import { readdirSync, readFileSync } from 'node:fs';

export const ROOT = new URL('../', import.meta.url);

const DOCS = readdirSync(new URL('docs/', ROOT)).filter((name) => name.endsWith('.md'));

/** Every documented page, by its path in the repository. */
export const PAGES = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...DOCS.map((name) => `docs/${name}`)];

/** The section of docs/fleet.md on one exporter for many servers. */
export const MANY_SERVERS = 'One exporter, many servers';

export function readPage(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

/** The text under a heading, up to the next heading of any level. */
export function section(page: string, heading: string): string {
  const [, rest] = page.split(new RegExp(`^##+ ${heading}\n`, 'm'));
  if (rest === undefined) {
    throw new Error(`no heading ${JSON.stringify(heading)}`);
  }
  return rest.split(/^##+ /m)[0] ?? '';
}

/** The rows of the table under a heading: a cell for each column, without backquotes. */
export function table(page: string, heading: string): ReadonlyArray<readonly string[]> {
  const lines = section(page, heading).match(/^\|.*\|$/gm) ?? [];
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

/** Blocks in lists are indented; the result has no indent. */
export function codeBlocks(text: string, language: string): readonly string[] {
  const blocks = text.matchAll(new RegExp(`^( *)\`\`\`${language}\n(.*?)^ *\`\`\``, 'gms'));
  return [...blocks].map(([, indent, block = '']) => block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''));
}

/** As GitHub derives them from headings. */
export function anchors(page: string): readonly string[] {
  const headings = page.replaceAll(/^```.*?^```/gms, '').matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

export interface ShellCommand {
  /** File and line. */
  readonly where: string;
  readonly command: string;
}

/** From the blocks marked `sh`. A trailing backslash continues a line; comments are omitted. */
export function shellCommands(path: string): readonly ShellCommand[] {
  const found: ShellCommand[] = [];
  let inside = false;
  let begun = '';
  for (const [index, line] of readPage(path).split('\n').entries()) {
    if (/^\s*```/.test(line)) {
      inside = /```sh$/.test(line);
    } else if (inside) {
      const text = `${begun}${line.replace(/(^|\s+)#\s.*$/, '').trim()}`;
      begun = text.endsWith('\\') ? text.slice(0, -1) : '';
      if (begun === '' && text !== '') {
        found.push({ where: `${path}:${index + 1}`, command: text });
      }
    }
  }
  return found;
}
