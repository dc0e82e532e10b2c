/** Whether a log can still be read: a line for each change, and none that nobody expects. */

const EXPECTED =
  /level=(INFO|WARN) msg=("Starting ollama-exporter"|Listening|"Ollama is [^"]*"|Stopping)( |$)/;
/** A fault that has several faces shows them: a connection is reset, the next one refused. */
const LINES_PER_CHANGE = 2;

/** @param changes beginnings and ends of faults */
export function logProblems(exporter: string, log: readonly string[], changes: number): readonly string[] {
  const unexpected = log.filter((line) => !EXPECTED.test(line));
  const lines = availabilityLines(log);
  const allowed = changes * LINES_PER_CHANGE + 1;
  return [
    ...unexpected.slice(0, 3).map((line) => `unexpected line in the log of ${exporter}: ${line}`),
    ...(lines <= allowed
      ? []
      : [`${lines} lines on Ollama in the log of ${exporter} for ${changes} changes`]),
  ];
}

export function availabilityLines(log: readonly string[]): number {
  return log.filter((line) => line.includes('msg="Ollama is ')).length;
}
