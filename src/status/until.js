/** Formats the time until a model expires. Plain JavaScript, as the page counts down with it, too. */

/**
 * `1 m 12 s`, `2 h 5 m`, `overdue 40 s`
 *
 * @param {number} seconds until the expiry, negative when past
 * @returns {string}
 */
export function remaining(seconds) {
  return seconds < 0 ? `overdue ${duration(-seconds)}` : duration(seconds);
}

/**
 * In its two largest units, rounded down.
 *
 * @param {number} seconds
 */
export function duration(seconds) {
  const whole = Math.trunc(seconds);
  const minutes = Math.trunc(whole / 60);
  const hours = Math.trunc(minutes / 60);
  const days = Math.trunc(hours / 24);
  if (days > 0) {
    return `${days} d ${hours % 24} h`;
  }
  if (hours > 0) {
    return `${hours} h ${minutes % 60} m`;
  }
  return minutes > 0 ? `${minutes} m ${whole % 60} s` : `${whole} s`;
}
