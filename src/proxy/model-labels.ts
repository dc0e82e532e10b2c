/** The label `model`: as /api/ps writes the name, with a limited number of values. */
import { INVISIBLE } from '../log/invisible.ts';
import { textOf } from '../ollama/json.ts';
import { shortestName } from '../ollama/model-name.ts';

/** The limit of values of the label: Prometheus keeps several time series for each, for as long as it keeps samples. */
const MAX_MODELS = 200;

/** As for the rows of /api/ps. */
const NAME = new RegExp(`^[^${INVISIBLE}]{1,1024}$`, 'u');

/** For each model beyond the limit. */
const OTHER_MODEL = 'other';

/** @returns a function that turns the name in an answer into the label: '' where it has none */
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
