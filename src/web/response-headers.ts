/** Turns `http_server_config.headers` of the web configuration file into headers that may be sent. */
import { validateHeaderValue } from 'node:http';

/** The names that may be set, written like this, and where not every value will do, those that will. */
const ALLOWED: ReadonlyMap<string, readonly string[]> = new Map([
  ['Strict-Transport-Security', []],
  ['X-Content-Type-Options', ['nosniff']],
  ['X-Frame-Options', ['deny', 'sameorigin']],
  ['X-XSS-Protection', []],
  ['Content-Security-Policy', []],
]);

/** @throws Error with the message of prometheus/exporter-toolkit (web/handler.go) */
export function parseHeaders(entries: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const headers = new Map(Object.entries(entries));
  for (const [name, value] of headers) {
    checkHeader(name, value);
  }
  return headers;
}

function checkHeader(name: string, value: string): void {
  const values = ALLOWED.get(name);
  if (values === undefined) {
    throw new Error(`HTTP header ${JSON.stringify(name)} can not be configured`);
  }
  if (values.length > 0 && !values.includes(value)) {
    const expected = values.map((one) => JSON.stringify(one)).join(' ');
    throw new Error(
      `invalid value for ${name}. Expected one of: [${expected}], but got: ${JSON.stringify(value)}`,
    );
  }
  // Go would send it, changed; Node.js would throw at every request.
  validateHeaderValue(name, value);
}
