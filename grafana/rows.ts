/** The panels of the dashboard, row by row, from general to specific, for someone woken at night. */
import {
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LineInterpolation,
  StackingConfigBuilder,
  StackingMode,
} from '@grafana/grafana-foundation-sdk/common';
import { FieldColorBuilder, FieldColorModeId } from '@grafana/grafana-foundation-sdk/dashboard';
import { COLORS, colored, NOTHING_SCRAPED, statPanel, timelinePanel, timePanel } from './panels.ts';
import { QUERIES } from './queries.ts';
import { alertTable, downTable, modelTable, serverTable } from './tables.ts';

const { OK, WARN, BAD } = COLORS;
const NO_CAPACITY = 'No capacity set';

/** A number that is green at 0. */
function problemPanel(title: string, description: string, expr: string, color: string) {
  return statPanel({ title, description, unit: 'none', width: 3 }, { expr }).thresholds(
    colored([null, OK], [1, color]),
  );
}

export const problemRow = () => [
  statPanel(
    { title: 'Servers', description: 'Ollama servers that are selected.', unit: 'none', width: 3 },
    { expr: QUERIES.servers },
  ).noValue(NOTHING_SCRAPED),
  problemPanel(
    'Servers down',
    'Servers whose Ollama does not respond, and those that Prometheus cannot scrape.',
    QUERIES.serversDown,
    BAD,
  ).noValue(NOTHING_SCRAPED),
  problemPanel(
    'Alerts firing',
    'Alerts of ollama-exporter that are firing. Load its rules into Prometheus to see them.',
    QUERIES.alertsFiringCount,
    WARN,
  ).noValue('None'),
  problemPanel(
    'Over 95% of VRAM',
    'Servers whose loaded models use more than 95% of the VRAM.',
    QUERIES.vramOver95,
    BAD,
  ).noValue(NO_CAPACITY),
  problemPanel(
    'Over 85% of VRAM',
    'Servers whose loaded models use more than 85% of the VRAM, those over 95% included.',
    QUERIES.vramOver85,
    WARN,
  ).noValue(NO_CAPACITY),
  problemPanel(
    'Models spilled',
    'Loaded models of which a part is in VRAM and a part in RAM. They respond slowly.',
    QUERIES.modelsSpilled,
    WARN,
  ),
  problemPanel(
    'Models overdue',
    'Loaded models whose expiry passed more than 10 minutes ago: busy for very long, or with a request that is stuck.',
    QUERIES.modelsOverdue,
    WARN,
  ),
  statPanel(
    {
      title: 'Models loaded',
      description: 'Models that are loaded, on all servers.',
      unit: 'none',
      width: 3,
    },
    { expr: QUERIES.modelsLoaded },
  ),
  downTable({
    title: 'Down',
    description: 'Servers that are down, and why. "Not scraped": Prometheus cannot scrape the exporter.',
    unit: 'none',
    width: 10,
    height: 6,
  }),
  alertTable({
    title: 'Firing alerts',
    description:
      'Alerts that are firing, critical ones first. "Active for" counts from when the condition was met.',
    unit: 'none',
    width: 14,
    height: 6,
  }),
];

export const serverRow = () => [
  serverTable({
    title: 'Servers',
    description:
      'One row for each server, the fullest first. "Busy slots" are the requests that its models work on, with --collector.runners. "Last change" is when a model was last loaded or unloaded.',
    unit: 'none',
    width: 24,
    height: 9,
  }),
  timePanel(
    {
      title: 'VRAM share by server',
      description:
        'Share of the VRAM that loaded models use, on average over 5 minutes, of the 20 servers with the highest share now. The dashed lines are the thresholds of the alerts, 85% and 95%.',
      unit: 'percentunit',
      width: 24,
      height: 9,
    },
    { expr: QUERIES.vramShareByServer, legend: '{{instance}}' },
  )
    .noValue('No data: nothing is scraped, or no capacity is set (--ollama.vram-capacity)')
    .min(0)
    .decimals(0)
    .thresholds(colored([null, 'transparent'], [0.85, WARN], [0.95, BAD]))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed)),
];

function stackedBytes(title: string, description: string, expr: string) {
  return timePanel({ title, description, unit: 'bytes', width: 12, height: 8 }, { expr, legend: '{{model}}' })
    .min(0)
    .fillOpacity(40)
    .lineInterpolation(LineInterpolation.StepAfter)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
}

export const modelRow = () => [
  modelTable({
    title: 'In memory now',
    description:
      'What `ollama ps` shows: each loaded model with its size, the part on the GPU, its context, how often that changed in the time range, and the time until it is unloaded. Below zero, it is busy past its expiry, or is stopping.',
    unit: 'none',
    width: 24,
    height: 9,
  }),
  timelinePanel(
    {
      title: 'Residency',
      description:
        'When each model was loaded, and on how many of the selected servers. Two that alternate on one server contend for its VRAM.',
      unit: 'none',
      width: 24,
      height: 8,
    },
    { expr: QUERIES.residency, legend: '{{model}}' },
  ).colorScheme(new FieldColorBuilder().mode(FieldColorModeId.ContinuousBlues)),
  stackedBytes('VRAM by model', 'VRAM that each model uses, on all selected servers.', QUERIES.vramByModel),
  stackedBytes(
    'RAM by model',
    'RAM that each model uses, on all selected servers: the part that is not in VRAM.',
    QUERIES.ramByModel,
  ).noValue('No model uses RAM'),
];
