/** Turns the time until a model expires into words. Plain JavaScript, as the page counts down with it, too. */

/**
 * `Forever`, `4 minutes from now`: the words of `ollama ps` (format/time.go). Of a past expiry more than its
 * `Stopping...`, which is not always true: a request may still run.
 *
 * @param {number | undefined} seconds until the expiry; Infinity is never, undefined is no usable time
 * @returns {string}
 */
export function until(seconds) {
  if (seconds === undefined) {
    return 'not set yet: loading';
  }
  if (seconds === Number.POSITIVE_INFINITY) {
    return 'Forever';
  }
  return seconds < 0
    ? `overdue ${overdue(-seconds)}: busy or stopping`
    : `${humanDuration(seconds)} from now`;
}

/**
 * @param {number} seconds
 * @returns {string}
 */
function overdue(seconds) {
  if (seconds < 60) {
    return `${Math.trunc(seconds)} s`;
  }
  const minutes = Math.trunc(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.trunc(minutes / 60)} h`;
}

/**
 * In Go's units and with Go's roundings.
 *
 * @param {number} seconds
 * @returns {string}
 */
function humanDuration(seconds) {
  const whole = Math.trunc(seconds);
  const minutes = Math.trunc(seconds / 60);
  const hours = Math.round(seconds / 3_600);
  /** @type {ReadonlyArray<readonly [boolean, string]>} */
  const words = [
    [whole < 1, 'Less than a second'],
    [whole === 1, '1 second'],
    [whole < 60, `${whole} seconds`],
    [minutes === 1, 'About a minute'],
    [minutes < 60, `${minutes} minutes`],
    [hours === 1, 'About an hour'],
    [hours < 48, `${hours} hours`],
    [hours < 24 * 14, `${Math.trunc(hours / 24)} days`],
    [hours < 24 * 60, `${Math.trunc(hours / 24 / 7)} weeks`],
    [hours < 24 * 365 * 2, `${Math.trunc(hours / 24 / 30)} months`],
  ];
  const [, text] = words.find(([holds]) => holds) ?? [];
  return text ?? `${Math.trunc(Math.trunc(seconds / 3_600) / 24 / 365)} years`;
}
