/** Limits log lines that clients can cause at any rate, so that none can fill the disk. */

const WINDOW_MS = 10_000;

/**
 * @param subject what the outcome is about; there must be few of them
 * @param outcome logged at once if it differs from the last one of the subject; otherwise counted, and logged once per
 * window
 * @param write logs it; `repeats` is 0 for the first one, then the number of repetitions since the previous line
 */
export type LogRepeated = (subject: string, outcome: string, write: (repeats: number) => void) => void;

interface Last {
  readonly outcome: string;
  readonly end: () => void;
  repeats: number;
}

export function createRepeatLog(windowMs = WINDOW_MS): LogRepeated {
  const lasts = new Map<string, Last>();
  return (subject, outcome, write) => {
    const known = lasts.get(subject);
    if (known?.outcome === outcome) {
      known.repeats += 1;
      return;
    }
    known?.end();
    write(0);
    const writeRepeats = () => {
      const { repeats } = last;
      last.repeats = 0;
      if (repeats > 0) {
        write(repeats);
      }
      return repeats > 0;
    };
    const timer = setInterval(() => {
      if (!writeRepeats()) {
        last.end();
      }
    }, windowMs).unref();
    const last: Last = {
      outcome,
      repeats: 0,
      end: () => {
        clearInterval(timer);
        lasts.delete(subject);
        writeRepeats();
      },
    };
    lasts.set(subject, last);
  };
}
