/** Finds Chromium, or fetches it from Debian's packages with the libraries that the machine lacks, without root. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CACHE, extractWithDependencies } from './debian-binaries.ts';

export interface Chromium {
  readonly executablePath: string;
  /** For it to find its libraries and fonts. */
  readonly env: Readonly<Record<string, string>>;
}

/** @throws Error that says why it can't be had here */
export function findChromium(): Chromium {
  const installed = '/usr/bin/chromium';
  if (existsSync(installed)) {
    return { executablePath: installed, env: {} };
  }
  const root = join(CACHE, 'chromium');
  const executablePath = join(root, 'usr/lib/chromium/chromium');
  if (!existsSync(executablePath)) {
    extractWithDependencies(['chromium', 'fonts-dejavu-core'], root);
  }
  // Some lie in folders of their own, which they know by absolute paths only.
  const libraries = readdirSync(join(root, 'usr/lib'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /-linux-gnu\/.*\.so(\.|$)/.test(name))
    .map((name) => dirname(join(root, 'usr/lib', name)));
  const env = {
    LD_LIBRARY_PATH: [...new Set(libraries)].join(':'),
    // Its own fonts, if there were none on the machine.
    ...(existsSync('/etc/fonts') ? {} : { FONTCONFIG_PATH: join(root, 'etc/fonts') }),
  };
  return { executablePath, env };
}
