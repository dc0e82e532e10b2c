/** Patterns of host names in `allow`. The names are untrusted input, so a match takes linear time. */

/** Whether it matches a name in lower case, without a final dot. */
export type HostPattern = (host: string) => boolean;

/**
 * @param glob `gpu-*.lan`, `*.ollama.svc.cluster.local`: `*` and `?` match within a label, so that `gpu-*` does not
 * match `gpu-1.evil.example`; a leading `*.` is one label or more
 * @throws Error that states what was expected
 */
export function parseHostPattern(glob: string): HostPattern {
  const name = glob.toLowerCase().replace(/\.$/, '');
  if (!/^[a-z0-9_*?-]+(\.[a-z0-9_*?-]+)*$/.test(name)) {
    throw new Error(
      'expected a host name such as gpu-*.lan or a range of addresses such as 10.20.0.0/16, optionally with https:// and :port',
    );
  }
  const anyBefore = name.startsWith('*.');
  const globs = (anyBefore ? name.slice(2) : name).split('.');
  return (host) => {
    const labels = host.split('.');
    const extra = labels.splice(0, labels.length - globs.length);
    return (
      (anyBefore ? extra.length > 0 && !extra.includes('') : extra.length === 0) &&
      labels.length === globs.length &&
      globs.every((pattern, index) => matches(pattern, labels[index] ?? ''))
    );
  };
}

/**
 * On a mismatch in a label, only the last `*` takes another character, which is sufficient. A regular expression
 * backtracks for each `*`: with a dozen of them, one label takes hours.
 */
function matches(glob: string, label: string): boolean {
  let [inGlob, inLabel] = [0, 0];
  let [afterStar, starEnd] = [-1, 0];
  while (inLabel < label.length) {
    if (glob[inGlob] === '*') {
      inGlob += 1;
      [afterStar, starEnd] = [inGlob, inLabel];
    } else if (glob[inGlob] === '?' || glob[inGlob] === label[inLabel]) {
      inGlob += 1;
      inLabel += 1;
    } else if (afterStar >= 0) {
      starEnd += 1;
      [inGlob, inLabel] = [afterStar, starEnd];
    } else {
      return false;
    }
  }
  return glob.slice(inGlob).replaceAll('*', '') === '';
}
