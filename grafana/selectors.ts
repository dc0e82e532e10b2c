/** Selects the series that the dashboard's variables choose, whatever labels the targets have of their own. */

/** What the variables `job` and `instance` select. */
export const TARGETS = 'job=~"$job", instance=~"$instance"';

/** The exporter's own process: for `/probe`, its job and instance are not those of the servers. */
export const EXPORTERS = 'job=~"$exporter_job"';

/** An alert about an exporter that has vanished has neither job nor instance. */
export const ALERTS = 'alertname=~"Ollama.+", job=~"$job|", instance=~"$instance|"';

/** Labels that identify a model, and a server. */
const MODEL_LABELS = 'job, instance, model, quantization';
export const SERVER_LABELS = 'job, instance';

/** Prometheus renames a label of ours to `exported_…` where the target has one of that name: takes it back. */
export function own(expr: string, ...labels: readonly string[]): string {
  return labels.reduce(
    (inner, label) => `label_replace(${inner}, "${label}", "$1", "exported_${label}", "(.+)")`,
    expr,
  );
}

/**
 * The series of the models that the variables select, under whichever name the label has.
 *
 * @param of a selector → what is taken of it, such as `changes(…[1h])`
 */
export function ofModels(metric: string, of = (selector: string) => selector): string {
  const [plain, renamed] = ['model', 'exported_model'].map((label) =>
    of(`${metric}{${TARGETS}, ${label}=~"$model"}`),
  );
  return `${plain} or ${renamed}`;
}

/**
 * One series for each model that the variables select.
 *
 * @param of as of `ofModels`
 */
export function byModel(aggregation: 'sum' | 'max', metric: string, of = (selector: string) => selector) {
  return `${aggregation} by (${MODEL_LABELS}) (${own(ofModels(metric, of), 'model', 'quantization')})`;
}

/** One series for each server. */
export function byServer(metric: string, aggregation: 'sum' | 'max' = 'max'): string {
  return `${aggregation} by (${SERVER_LABELS}) (${metric}{${TARGETS}})`;
}
