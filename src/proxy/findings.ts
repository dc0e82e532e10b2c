/** What a response reports: its model, how it ended, its token counts and durations. */
import { isRecord } from '../ollama/json.ts';
import type { Api } from './apis.ts';
import { type Fields, fieldsOf } from './fields.ts';
import { type Figures, nativeFigures, usageFigures } from './figures.ts';
import { beginningOf, type Line } from './last-lines.ts';

export interface Findings {
  /** `missing`: no end mark, so the response is incomplete, even if the connection was closed cleanly. */
  readonly end: 'complete' | 'failed' | 'missing';
  /** As written in the response; undefined if it has none. */
  readonly model: string | undefined;
  readonly figures: Figures | undefined;
  /** Ollama has loaded or unloaded the model and generated nothing, so no usage is expected. */
  readonly generatedNothing: boolean;
}

const NOTHING: Findings = { end: 'missing', model: undefined, figures: undefined, generatedNothing: false };

/** The last line of NDJSON, or a whole response without streaming. */
export function findingsOfObject({ hasDone, dialect }: Api, line: Line | undefined): Findings {
  const fields = line && fieldsOf(line);
  if (fields === undefined) {
    return NOTHING;
  }
  const { model, done_reason: reason } = fields;
  const complete = !hasDone || fields['done'] === true;
  return {
    end: isFailure(fields) ? 'failed' : complete ? 'complete' : 'missing',
    model: typeof model === 'string' ? model : undefined,
    figures: dialect === 'ollama' ? nativeFigures(fields) : usageFigures(fields['usage']),
    generatedNothing: reason === 'load' || reason === 'unload',
  };
}

/** `error` is null in events of /v1/responses without an error. */
function isFailure({ error, type, status }: Fields): boolean {
  return isRecord(error) || typeof error === 'string' || type === 'error' || status === 'failed';
}

const EVENT = 'event:';
const DATA = 'data:';

const ENDS: ReadonlySet<string> = new Set(['response.completed', 'response.incomplete', 'message_stop']);
const FAILURES: ReadonlySet<string> = new Set(['response.failed', 'error']);

/** The last lines of server-sent events. */
export function findingsOfEvents(lines: readonly Line[]): Findings {
  let findings = NOTHING;
  let event = '';
  for (const line of lines) {
    const beginning = beginningOf(line);
    if (beginning.startsWith(EVENT)) {
      event = beginning.slice(EVENT.length).trim();
    } else if (beginning.startsWith(DATA)) {
      const isEnd = beginning.slice(DATA.length).trim() === '[DONE]';
      findings = isEnd ? afterEnd(findings) : afterEvent(findings, event, line);
      event = '';
    }
  }
  return findings;
}

function afterEnd(before: Findings): Findings {
  return { ...before, end: before.end === 'failed' ? 'failed' : 'complete' };
}

function afterEvent(before: Findings, event: string, line: Line): Findings {
  const fields = fieldsOf(line, DATA.length);
  if (fields === undefined) {
    return before;
  }
  const type = typeof fields['type'] === 'string' ? fields['type'] : event;
  const { response } = fields;
  const { model, usage } = isRecord(response) ? response : fields;
  const failed = before.end === 'failed' || FAILURES.has(type) || isFailure(fields);
  return {
    ...before,
    end: failed ? 'failed' : ENDS.has(type) ? 'complete' : before.end,
    // If generation failed, the last event of /v1/chat/completions has the model "".
    model: typeof model === 'string' && model !== '' ? model : before.model,
    // The first ones of /v1/completions are zeros; the last one counts, and none are added up.
    figures: usageFigures(usage) ?? before.figures,
  };
}
