/** Reads a response as it passes, and summarizes it at its end. */
import type { Api } from './apis.ts';
import { Beginning } from './beginning.ts';
import { Ends } from './ends.ts';
import { type Findings, findingsOfEvents, findingsOfObject } from './findings.ts';
import { LastLines } from './last-lines.ts';

export interface Reader {
  readonly push: (chunk: Buffer) => void;
  /** Must be called at the end, regardless of how it ended. */
  readonly findings: () => Findings;
  /** For a stream: the time of its first content. */
  readonly firstContentMs: () => number | undefined;
}

/** The event with the usage, the following one that ends the stream, and the lines with their names. */
const LINES_OF_EVENTS = 6;

export function isEventStream(contentType: string): boolean {
  return /^text\/event-stream\b/i.test(contentType);
}

/** @param contentType of the response */
export function createReader(api: Api, contentType: string, now: () => number): Reader {
  if (isEventStream(contentType)) {
    const lines = new LastLines(LINES_OF_EVENTS);
    return streamReader(lines, now, () => findingsOfEvents(lines.lines));
  }
  if (/^application\/x-ndjson\b/i.test(contentType)) {
    const lines = new LastLines(1);
    return streamReader(lines, now, () => findingsOfObject(api, lines.lines.at(-1)));
  }
  const ends = new Ends();
  return {
    push: (chunk) => ends.push(chunk),
    findings: () => findingsOfObject(api, ends),
    firstContentMs: () => undefined,
  };
}

function streamReader(lines: LastLines, now: () => number, findings: () => Findings): Reader {
  const beginning = new Beginning();
  return {
    push: (chunk) => {
      beginning.push(chunk, now);
      lines.push(chunk);
    },
    findings: () => {
      const found = findings();
      // A line with an error has no model.
      return { ...found, model: found.model ?? beginning.model };
    },
    firstContentMs: () => beginning.firstContentMs,
  };
}
