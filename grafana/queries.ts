/** The PromQL of the dashboard by meaning. Uses metrics only, no recording rules, which may not be loaded. */
import { ALERTS, byModel, byServer, EXPORTERS, own, SERVER_LABELS, TARGETS } from './selectors.ts';

const size = byModel('sum', 'ollama_model_size_bytes');
const vram = byModel('sum', 'ollama_model_size_vram_bytes');
/** Servers other than Ollama may report size_vram > size. */
const ram = `clamp_min(${size} - ${vram}, 0)`;

const up = byServer('ollama_up');
const loaded = byServer('ollama_loaded_models');

/** Targets that had Ollama's metrics within the last day, and that Prometheus can't scrape now. */
const notScraped = `(${byServer('up')} == 0 and on (${SERVER_LABELS}) last_over_time(ollama_up{${TARGETS}}[1d]))`;

/** 1 up, 0 down, -1 not scraped. */
const state = `(${up} or ${notScraped} - 1)`;

/** Bytes; 0 when idle, none if unknown. */
const vramUsed = `(${byServer('ollama_model_size_vram_bytes', 'sum')} or ${loaded} == 0)`;
/** Only for servers whose capacity is known. */
const vramShare = `${vramUsed} / (${byServer('ollama_vram_capacity_bytes')} > 0)`;

/** Neither all in VRAM nor all in RAM. */
const spilled = `(${vram} > 0) < ${size}`;

const series = `ollama_model_size_bytes{${TARGETS}}`;
/** A model was loaded or unloaded within a minute, or loaded again with other options, which changes its size. */
const changed = `${series} != ${series} offset 1m or ${series} unless ${series} offset 1m or ${series} offset 1m unless ${series}`;

const firing = own(`ALERTS{${ALERTS}, alertstate="firing"}`, 'model');
const ALERT_LABELS = `alertname, severity, ${SERVER_LABELS}, model`;

const version = (range: string) =>
  own(
    range === ''
      ? `ollama_version_info{${TARGETS}}`
      : `last_over_time(ollama_version_info{${TARGETS}}${range})`,
    'version',
  );

/** Those with the highest values at the end of the time range, so that a line doesn't start or end in the middle. */
function highest(count: number, labels: string, expr: string, atEnd: string): string {
  return `${expr} and on (${labels}) topk(${count}, ${atEnd})`;
}

function ofExporters(expr: (modifier: string) => string): string {
  return highest(10, SERVER_LABELS, expr(''), expr(' @ end()'));
}

export const QUERIES = {
  servers: `count(${state})`,
  serversDown: `sum(${state} < bool 1)`,
  alertsFiringCount: `count(${firing})`,
  vramOver95: `sum(${vramShare} > bool 0.95)`,
  vramOver85: `sum(${vramShare} > bool 0.85)`,
  modelsSpilled: `count(${spilled}) or 0 * sum(${loaded})`,
  modelsOverdue: `count(${byModel('max', 'ollama_model_expires_in_seconds')} < -600) or 0 * sum(${loaded})`,
  modelsLoaded: `sum(${loaded})`,

  downReason: `topk by (${SERVER_LABELS}) (1, max by (${SERVER_LABELS}, reason) (${own(`ollama_scrape_error{${TARGETS}}`, 'reason')}) and on (${SERVER_LABELS}) (${up} == 0)) or label_replace(${notScraped}, "reason", "not scraped", "", "")`,
  downFor: `time() - max by (${SERVER_LABELS}) (max_over_time(timestamp(ollama_up{${TARGETS}} == 1)[6h:1m])) and on (${SERVER_LABELS}) (${state} < 1)`,

  // The second label is the anchor of the runbook, in lower case.
  alertsFiring: `label_replace(max by (${ALERT_LABELS}) (${firing}), "runbook", "$1", "alertname", "(.+)")`,
  alertsActiveFor: `time() - max by (${ALERT_LABELS}) (${own(`ALERTS_FOR_STATE{${ALERTS}}`, 'model')}) and on (${ALERT_LABELS}) max by (${ALERT_LABELS}) (${firing})`,

  serverState: state,
  serverVersion: `max by (${SERVER_LABELS}, version) (${version('')})`,
  serverModels: loaded,
  serverVram: vramUsed,
  serverVramShare: vramShare,
  serverSpilled: `count by (${SERVER_LABELS}) (${spilled}) or 0 * ${loaded}`,
  serverBusySlots: byServer('ollama_model_slots_busy', 'sum'),
  serverLastChange: `time() - max by (${SERVER_LABELS}) (max_over_time(timestamp(${changed})[1h:1m]))`,

  // On average over 5 minutes, as in the alerts, since a swap of models briefly empties a server.
  vramShareByServer: highest(
    20,
    SERVER_LABELS,
    `avg_over_time((${vramShare})[5m:1m])`,
    `avg_over_time((${vramShare})[5m:1m] @ end())`,
  ),

  modelSize: size,
  modelVram: vram,
  // Rounded like in `ollama ps`: the part in RAM.
  modelGpu: `100 - round(${ram} / (${size} > 0) * 100)`,
  modelContext: byModel('max', 'ollama_model_context_length_tokens'),
  modelContextChanges: `${byModel('max', 'ollama_model_context_length_tokens', (selector) => `changes(${selector}[$__range])`)} and ${size}`,
  // Never is +Inf, which a table can't show.
  modelUntil: `clamp_max(${byModel('max', 'ollama_model_expires_in_seconds')}, 1e9)`,

  residency: `count by (model) (${size})`,
  vramByModel: `sum by (model) (${vram})`,
  ramByModel: `sum by (model) (${ram}) > 0`,

  errorsByReason: `count by (api, reason) (max by (${SERVER_LABELS}, api, reason) (${own(`ollama_scrape_error{${TARGETS}}`, 'api', 'reason')}))`,
  slowestCall: `max by (api) (${own(`ollama_scrape_duration_seconds{${TARGETS}}`, 'api')})`,
  medianCall: `quantile by (api) (0.5, ${own(`ollama_scrape_duration_seconds{${TARGETS}}`, 'api')})`,
  skippedRows: `sum(${byServer('ollama_scrape_skipped_models')})`,

  exporterCpu: ofExporters((at) => `rate(process_cpu_seconds_total{${EXPORTERS}}[$__rate_interval]${at})`),
  exporterMemory: ofExporters((at) => `process_resident_memory_bytes{${EXPORTERS}}${at}`),
  exporterUtilization: ofExporters(
    (at) => `rate(nodejs_eventloop_time_seconds_total{${EXPORTERS}, state="active"}[$__rate_interval]${at})`,
  ),
  exporterBuilds: `count by (version, node_version) (${own(`ollama_exporter_build_info{${EXPORTERS}}`, 'version')})`,

  annotationAlerts: `count by (alertname) (${firing})`,
  // Not after an outage, only if there was another version before.
  annotationVersions: `count by (version) (max by (${SERVER_LABELS}, version) (${version('')}) unless on (${SERVER_LABELS}, version) ${version('[1d] offset 2m')} and on (${SERVER_LABELS}) ${version('[1d] offset 2m')})`,

  // A separate proxy is a separate job, which may expose nothing else.
  jobs: 'label_values({__name__=~"ollama_up|ollama_proxy_requests_in_flight"}, job)',
  instances: 'label_values({__name__=~"ollama_up|ollama_proxy_requests_in_flight", job=~"$job"}, instance)',
  models: `query_result(count by (model) (${own(`last_over_time(ollama_model_size_bytes{${TARGETS}}[$__range])`, 'model')}))`,
  exporterJobs: 'label_values(ollama_exporter_build_info, job)',
} as const;
