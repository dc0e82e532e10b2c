/** Sends one scrape, and says what came of it. */

/**
 * @typedef {object} Outcome
 * @property {string} kind `good` (status 200, and complete), `incomplete`, `failed`, or another status
 * @property {number} bytes of the body, as it came over the wire
 */

const NEWLINE = 10;

/**
 * @param {import('undici').Dispatcher} dispatcher
 * @param {URL} url
 * @param {boolean} gzip whether to accept it; what comes is not unpacked
 * @param {(outcome: Outcome) => void} onEnd called once
 */
export function sendScrape(dispatcher, { origin, pathname, search }, gzip, onEnd) {
  let status = 0;
  let bytes = 0;
  let last = 0;
  const headers = gzip ? { 'accept-encoding': 'gzip' } : {};
  dispatcher.dispatch(
    { origin, path: pathname + search, method: 'GET', headers },
    {
      onRequestStart() {},
      onResponseStart(_controller, statusCode) {
        status = statusCode;
      },
      onResponseData(_controller, chunk) {
        bytes += chunk.length;
        last = chunk.at(-1) ?? last;
      },
      onResponseEnd() {
        const whole = gzip ? bytes > 0 : last === NEWLINE;
        onEnd({ kind: status === 200 ? (whole ? 'good' : 'incomplete') : String(status), bytes });
      },
      onResponseError() {
        onEnd({ kind: 'failed', bytes });
      },
    },
  );
}
