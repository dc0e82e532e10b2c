/** Version and revision: from package.json, and from a file that the build writes next to the program. */
import { existsSync, readFileSync } from 'node:fs';

export interface BuildInfo {
  readonly version: string;
  /** The commit; `unknown` if built outside a git checkout. */
  readonly revision: string;
}

export function readBuildInfo(): BuildInfo {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  if (typeof manifest !== 'object' || manifest === null || !('version' in manifest)) {
    throw new Error('package.json beside dist/ holds no version: the installation is broken');
  }
  const revision = new URL('../REVISION', import.meta.url);
  return {
    version: String(manifest.version),
    revision: existsSync(revision) ? readFileSync(revision, 'utf8').trim() : 'unknown',
  };
}

/** The output of `--version`, in the format of Prometheus. */
export function versionText({ version, revision }: BuildInfo): string {
  return `ollama-exporter, version ${version} (revision: ${revision})
  node:     ${process.version}
  platform: ${process.platform}/${process.arch}`;
}
