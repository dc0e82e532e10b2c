/** Turns the files of the page into inline content, and a Content-Security-Policy that allows nothing else. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface PageAssets {
  readonly style: string;
  readonly script: string;
  /** The value of Content-Security-Policy. */
  readonly policy: string;
}

/** Read at start, from the folder of this file. */
export function readPageAssets(): PageAssets {
  const style = read('style.css');
  // Three files become one module, so their imports of each other are removed.
  const script = ['until.js', 'become.js', 'live.js']
    .map(read)
    .join('')
    .replaceAll(/^import .*\n/gm, '');
  const policy = [
    "default-src 'none'",
    `style-src '${hash(style)}'`,
    `script-src '${hash(script)}'`,
    "connect-src 'self'",
    'img-src data:',
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return { style, script, policy };
}

function read(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
