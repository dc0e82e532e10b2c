/** The label `model`: the name as in /api/ps, with a limited number of values. */
import { INVISIBLE } from '../log/invisible.ts';
import { textOf } from '../ollama/json.ts';
import { shortestName } from '../ollama/model-name.ts';

/** The maximum number of values: Prometheus keeps several time series for each, for its whole retention time. */
const MAX_MODELS = 200;

/** The same as for the rows of /api/ps. */
const NAME = new RegExp(`^[^${INVISIBLE}]{1,1024}$`, 'u');

/** For models beyond the limit. */
const OTHER_MODEL = 'other';

/** @returns a function from the name in a response to the label: '' if it has none */
export function createModelLabels(most = MAX_MODELS): (name: string | undefined) => string {
  const known = new Set<string>();
  return (name) => {
    const text = textOf(name, NAME);
    const label = text === '' ? '' : shortestName(text);
    if (label === '' || known.has(label)) {
      return label;
    }
    if (known.size >= most) {
      return OTHER_MODEL;
    }
    known.add(label);
    return label;
  };
}
