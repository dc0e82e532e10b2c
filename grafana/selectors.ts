/** Selects series by the dashboard's variables, regardless of additional labels of the targets. */

/** The selection by the variables `job` and `instance`. */
export const TARGETS = 'job=~"$job", instance=~"$instance"';

/** The exporter's own process: with `/probe`, its job and instance differ from those of the servers. */
export const EXPORTERS = 'job=~"$exporter_job"';

/** An alert about an exporter that has disappeared has neither job nor instance. */
export const ALERTS = 'alertname=~"Ollama.+", job=~"$job|", instance=~"$instance|"';

/** Labels that identify a model, and a server. */
const MODEL_LABELS = 'job, instance, model, quantization';
export const SERVER_LABELS = 'job, instance';

/** Prometheus renames a label of the exporter to `exported_…` if the target has one of that name: reverts it. */
export function own(expr: string, ...labels: readonly string[]): string {
  return labels.reduce(
    (inner, label) => `label_replace(${inner}, "${label}", "$1", "exported_${label}", "(.+)")`,
    expr,
  );
}

/**
 * The series of the selected models, under either name of the label.
 *
 * @param of a selector → an expression, such as `changes(…[1h])`
 */
export function ofModels(metric: string, of = (selector: string) => selector): string {
  const [plain, renamed] = ['model', 'exported_model'].map((label) =>
    of(`${metric}{${TARGETS}, ${label}=~"$model"}`),
  );
  return `${plain} or ${renamed}`;
}

/**
 * One series for each selected model.
 *
 * @param of as in `ofModels`
 */
export function byModel(aggregation: 'sum' | 'max', metric: string, of = (selector: string) => selector) {
  return `${aggregation} by (${MODEL_LABELS}) (${own(ofModels(metric, of), 'model', 'quantization')})`;
}

/** One series for each server. */
export function byServer(metric: string, aggregation: 'sum' | 'max' = 'max'): string {
  return `${aggregation} by (${SERVER_LABELS}) (${metric}{${TARGETS}})`;
}
