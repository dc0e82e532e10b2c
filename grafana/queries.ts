/** The PromQL of the dashboard, as text by meaning. Metrics only, no recording rules: it works without them. */

/** What the dashboard's variables select. */
const TARGETS = 'job=~"$job", instance=~"$instance"';
const MODELS = `${TARGETS}, model=~"$model"`;

/** Bytes in RAM of each model; another server than Ollama may say size_vram > size. */
const ramBytes = `clamp_min(ollama_model_size_bytes{${MODELS}} - ollama_model_size_vram_bytes{${MODELS}}, 0)`;

/** Zero while Ollama is up and idle, nothing while it is down. */
const zeroWhenIdle = `sum(ollama_loaded_models{${TARGETS}} == 0)`;

/** Rows of a table are joined by their labels, so the name of the metric has to go. */
function cell(expr: string): string {
  return `max by (job, instance, model, quantization) (${expr})`;
}

/** Percent of a model in RAM, rounded as `ollama ps` rounds it. */
const cpuPercent = `round(${ramBytes} / (ollama_model_size_bytes{${MODELS}} > 0) * 100)`;

export const QUERIES = {
  up: `ollama_up{${TARGETS}}`,
  version: `ollama_version_info{${TARGETS}}`,
  loadedModels: `sum(ollama_loaded_models{${TARGETS}})`,
  vramUsed: `sum(ollama_model_size_vram_bytes{${TARGETS}}) or ${zeroWhenIdle}`,
  // Of those servers only whose capacity is known.
  vramUsedRatio: `(sum(ollama_model_size_vram_bytes{${TARGETS}} and on (job, instance) ollama_vram_capacity_bytes{${TARGETS}}) or ${zeroWhenIdle}) / (sum(ollama_vram_capacity_bytes{${TARGETS}}) > 0)`,
  ramUsed: `sum(clamp_min(ollama_model_size_bytes{${TARGETS}} - ollama_model_size_vram_bytes{${TARGETS}}, 0)) or ${zeroWhenIdle}`,
  scrapeDuration: `max(ollama_scrape_duration_seconds{${TARGETS}})`,

  cellSize: cell(`ollama_model_size_bytes{${MODELS}}`),
  cellVram: cell(`ollama_model_size_vram_bytes{${MODELS}}`),
  cellGpu: cell(`100 - ${cpuPercent}`),
  cellCpu: cell(cpuPercent),
  cellContext: cell(`ollama_model_context_length_tokens{${MODELS}}`),
  // Forever is +Inf, which a table can't show.
  cellUntil: cell(`clamp_max(ollama_model_expires_in_seconds{${MODELS}}, 1e9)`),

  vramByModel: `sum by (model) (ollama_model_size_vram_bytes{${MODELS}})`,
  vramCapacity: `sum(ollama_vram_capacity_bytes{${TARGETS}})`,
  ramByModel: `sum by (model) (${ramBytes})`,
  memoryCapacity: `sum(ollama_memory_capacity_bytes{${TARGETS}})`,
  gpuShare: `ollama_model_size_vram_bytes{${MODELS}} / (ollama_model_size_bytes{${MODELS}} > 0)`,

  residency: `count by (instance, model) (ollama_model_size_bytes{${MODELS}}) > bool 0`,
  // Forever would flatten all else.
  expiresIn: `ollama_model_expires_in_seconds{${MODELS}} < Inf`,
  contextLength: `ollama_model_context_length_tokens{${MODELS}}`,

  scrapeSuccess: `min by (instance, api) (ollama_scrape_success{${TARGETS}})`,
  scrapeDurationByApi: `max by (instance, api) (ollama_scrape_duration_seconds{${TARGETS}})`,
  scrapeErrors: `sum by (instance, api, reason) (ollama_scrape_error{${TARGETS}})`,
  skippedModels: `sum by (instance) (ollama_scrape_skipped_models{${TARGETS}})`,

  exporterCpu: `rate(process_cpu_seconds_total{${TARGETS}}[$__rate_interval])`,
  exporterMemory: `process_resident_memory_bytes{${TARGETS}}`,
  exporterLag: `nodejs_eventloop_lag_p99_seconds{${TARGETS}}`,
  exporterBuild: `ollama_exporter_build_info{${TARGETS}}`,

  // An alert on an exporter that is gone has neither job nor instance.
  alertsFiring: 'ALERTS{alertname=~"Ollama.+", alertstate="firing", job=~"$job|", instance=~"$instance|"}',
  // Not after an outage, only where another version was there before.
  versionChanges: `ollama_version_info{${TARGETS}} unless last_over_time(ollama_version_info{${TARGETS}}[1d] offset 2m) and on (job, instance) last_over_time(ollama_version_info{${TARGETS}}[1d] offset 2m)`,

  jobs: 'label_values(ollama_up, job)',
  instances: 'label_values(ollama_up{job=~"$job"}, instance)',
  models: `label_values(ollama_model_size_bytes{${TARGETS}}, model)`,
} as const;
