/** Finds Chromium, or fetches it from Debian's packages with missing libraries, without root. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CACHE, extractWithDependencies } from './debian-binaries.ts';

export interface Chromium {
  readonly executablePath: string;
  /** So that it finds its libraries and fonts. */
  readonly env: Readonly<Record<string, string>>;
}

/** @throws Error that states why it is not available */
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
  // Some are in directories that are compiled in as absolute paths.
  const libraries = readdirSync(join(root, 'usr/lib'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /-linux-gnu\/.*\.so(\.|$)/.test(name))
    .map((name) => dirname(join(root, 'usr/lib', name)));
  const env = {
    LD_LIBRARY_PATH: [...new Set(libraries)].join(':'),
    // Its own fonts, in case the machine has none.
    ...(existsSync('/etc/fonts') ? {} : { FONTCONFIG_PATH: join(root, 'etc/fonts') }),
  };
  return { executablePath, env };
}
