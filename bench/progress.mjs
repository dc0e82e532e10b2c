/** Tells on stderr how far the bench is: in one line that is written anew on a terminal, else in lines. */

/** @typedef {(done: number, total: number, what: string) => void} Progress */

/**
 * @param {NodeJS.WriteStream} stream
 * @returns {{ readonly of: (section: string) => Progress, readonly end: () => void }}
 */
export function createProgress(stream) {
  const start = performance.now();
  const write = (/** @type {string} */ line) => {
    stream.write(stream.isTTY ? `\r\x1b[K${line.slice(0, stream.columns - 1)}` : `${line}\n`);
  };
  return {
    of: (section) => (done, total, what) => {
      const seconds = Math.round((performance.now() - start) / 1_000);
      const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
      write(`${clock} ${section} ${done + 1}/${total}: ${what}`);
    },
    end: () => void (stream.isTTY && stream.write('\r\x1b[K')),
  };
}
