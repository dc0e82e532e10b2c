/** The panels of the dashboard, row by row, from general to specific, for someone woken at night. */
import {
  BigValueTextMode,
  LineStyleBuilder,
  StackingConfigBuilder,
  StackingMode,
  TableCellDisplayMode,
  TableSortByFieldStateBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  NOTHING_SCRAPED,
  OLLAMA_DOWN,
  statPanel,
  tablePanel,
  thresholds,
  timelinePanel,
  timePanel,
} from './panels.ts';
import { QUERIES } from './queries.ts';

const OK = 'green';
const WARN = 'orange';
const BAD = 'red';

function words(
  ...pairs: ReadonlyArray<readonly [value: string, text: string, color: string]>
): ValueMapping[] {
  const options = Object.fromEntries(
    pairs.map(([value, text, color], index) => [value, { text, color, index }]),
  );
  return [{ type: MappingType.ValueToText, options }];
}

export const statusRow = () => [
  statPanel(
    {
      title: 'Ollama',
      description: 'Whether Ollama answered /api/ps or /api/version in the last scrape.',
      unit: 'none',
      width: 4,
    },
    { expr: QUERIES.up, legend: '{{instance}}' },
  )
    .mappings(words(['1', 'Up', OK], ['0', 'Down', BAD]))
    .noValue(NOTHING_SCRAPED),
  statPanel(
    { title: 'Version', description: 'The version that Ollama tells.', unit: 'none', width: 4 },
    { expr: QUERIES.version, legend: '{{version}}' },
  )
    .textMode(BigValueTextMode.Name)
    .noValue(OLLAMA_DOWN),
  statPanel(
    { title: 'Loaded models', description: 'Models in memory.', unit: 'none', width: 4 },
    { expr: QUERIES.loadedModels },
  ).noValue(OLLAMA_DOWN),
  statPanel(
    {
      title: 'VRAM used',
      description:
        "VRAM that loaded models take by Ollama's own account, and its share of the capacity, if the exporter was told one (--ollama.vram-capacity).",
      unit: 'bytes',
      width: 4,
    },
    { expr: QUERIES.vramUsed, legend: 'used' },
    { expr: QUERIES.vramUsedRatio, legend: 'of capacity' },
  ).overrideByQuery('B', [
    { id: 'unit', value: 'percentunit' },
    { id: 'thresholds', value: thresholds([null, OK], [0.85, WARN], [0.95, BAD]).build() },
  ]),
  statPanel(
    {
      title: 'RAM used',
      description: 'The parts of loaded models that are in RAM.',
      unit: 'bytes',
      width: 4,
    },
    { expr: QUERIES.ramUsed },
  ),
  statPanel(
    {
      title: 'Scrape duration',
      description:
        'The slowest call to Ollama in the last scrape. Milliseconds are normal; seconds mean a runner that hangs, or a stuck scheduler.',
      unit: 's',
      width: 4,
    },
    { expr: QUERIES.scrapeDuration },
  )
    .noValue(NOTHING_SCRAPED)
    .thresholds(thresholds([null, OK], [1, WARN], [4, BAD])),
];

/** Columns by the query that fills them. */
const COLUMNS = {
  'Value #A': 'Size',
  'Value #B': 'VRAM',
  'Value #C': 'GPU',
  'Value #D': 'CPU',
  'Value #E': 'Context',
  'Value #F': 'Until',
} as const;

/** In a row that is there: what Ollama does not say of this model. */
const NO_CELL = { id: 'noValue', value: '–' };

const ORDER = ['model', 'quantization', ...Object.keys(COLUMNS), 'instance'];

export const nowRow = () => [
  tablePanel(
    {
      title: 'In memory now',
      description:
        'What `ollama ps` shows: each loaded model with its size, the split between GPU and CPU, its context and the time until Ollama means to unload it. Below zero, it has been busy past that time, or is stopping.',
      unit: 'none',
      width: 24,
      height: 8,
    },
    { expr: QUERIES.cellSize },
    { expr: QUERIES.cellVram },
    { expr: QUERIES.cellGpu },
    { expr: QUERIES.cellCpu },
    { expr: QUERIES.cellContext },
    { expr: QUERIES.cellUntil },
  )
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true, job: true },
        indexByName: Object.fromEntries(ORDER.map((name, index) => [name, index])),
        renameByName: { model: 'Model', quantization: 'Quantization', instance: 'Instance', ...COLUMNS },
      },
    })
    .sortBy([new TableSortByFieldStateBuilder().displayName('VRAM').desc(true)])
    .overrideByName('Size', [{ id: 'unit', value: 'bytes' }])
    .overrideByName('VRAM', [
      { id: 'unit', value: 'bytes' },
      { id: 'custom.cellOptions', value: { type: TableCellDisplayMode.Gauge, mode: 'basic' } },
      { id: 'min', value: 0 },
      // Else the scale would end at the largest number of the whole table.
      { id: 'fieldMinMax', value: true },
    ])
    .overrideByName('GPU', [
      { id: 'unit', value: 'percent' },
      NO_CELL,
      { id: 'custom.cellOptions', value: { type: TableCellDisplayMode.Gauge, mode: 'basic' } },
      { id: 'min', value: 0 },
      { id: 'max', value: 100 },
      { id: 'thresholds', value: thresholds([null, BAD], [1, WARN], [100, OK]).build() },
    ])
    .overrideByName('CPU', [{ id: 'unit', value: 'percent' }, NO_CELL])
    .overrideByName('Context', [{ id: 'unit', value: 'locale' }, NO_CELL])
    .overrideByName('Until', [
      { id: 'unit', value: 's' },
      NO_CELL,
      {
        id: 'mappings',
        value: [
          {
            type: MappingType.RangeToText,
            options: { from: 6e8, to: 1e9, result: { text: 'Forever', index: 0 } },
          },
        ],
      },
      { id: 'custom.cellOptions', value: { type: TableCellDisplayMode.ColorText } },
      { id: 'thresholds', value: thresholds([null, WARN], [0, 'text']).build() },
    ]),
];

/** The capacity as a dashed line above the stack. */
const CAPACITY_LINE = [
  { id: 'custom.stacking', value: { mode: StackingMode.None, group: 'A' } },
  { id: 'custom.fillOpacity', value: 0 },
  { id: 'custom.lineStyle', value: new LineStyleBuilder().fill('dash').dash([10, 10]).build() },
  { id: 'color', value: { mode: 'fixed', fixedColor: BAD } },
];

function stackedBytes(title: string, description: string, byModel: string, capacity: string) {
  return timePanel(
    { title, description, unit: 'bytes', width: 12, height: 9 },
    { expr: byModel, legend: '{{model}}' },
    { expr: capacity, legend: 'capacity' },
  )
    .min(0)
    .fillOpacity(30)
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
    .overrideByQuery('B', CAPACITY_LINE);
}

export const memoryRow = () => [
  stackedBytes(
    'VRAM by model',
    'VRAM of each model, stacked, under the capacity, if the exporter was told one.',
    QUERIES.vramByModel,
    QUERIES.vramCapacity,
  ),
  stackedBytes(
    'RAM by model',
    'The part of each model in RAM, stacked, under the capacity, if the exporter was told one.',
    QUERIES.ramByModel,
    QUERIES.memoryCapacity,
  ),
  timePanel(
    {
      title: 'Share on the GPU',
      description: 'The share of each model that is in VRAM. Below 100% it is slow.',
      unit: 'percentunit',
      width: 24,
      height: 7,
    },
    { expr: QUERIES.gpuShare, legend: '{{model}} {{quantization}} on {{instance}}' },
  )
    .min(0)
    .max(1),
];

export const residencyRow = () => [
  timelinePanel(
    {
      title: 'Residency',
      description:
        'Which model was in memory when. Two that alternate contend for room that only one fits into.',
      unit: 'none',
      width: 24,
      height: 8,
    },
    { expr: QUERIES.residency, legend: '{{model}} on {{instance}}' },
  )
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .thresholds(thresholds([null, 'blue']))
    .mappings(words(['1', 'loaded', 'blue'])),
  timePanel(
    {
      title: 'Time until unload',
      description:
        'Seconds to the expiry of each model; those that stay forever are left out. It stands still in the first request after a load, falls from then on, and jumps up when the model goes idle; below zero it has been busy past it, or is stopping.',
      unit: 's',
      width: 12,
      height: 8,
    },
    { expr: QUERIES.expiresIn, legend: '{{model}} {{quantization}} on {{instance}}' },
  ),
  timePanel(
    {
      title: 'Context length',
      description:
        'Tokens of context, per request slot, that each model was loaded with. Ollama lowers it when memory is short.',
      unit: 'locale',
      width: 12,
      height: 8,
    },
    { expr: QUERIES.contextLength, legend: '{{model}} {{quantization}} on {{instance}}' },
  ).min(0),
];

export const scrapeRow = () => [
  timelinePanel(
    {
      title: 'Calls to Ollama',
      description:
        'Whether each call succeeded. /api/ps alone timing out means that a runner or the scheduler is stuck.',
      unit: 'none',
      width: 12,
      height: 7,
    },
    { expr: QUERIES.scrapeSuccess, legend: '{{api}} of {{instance}}' },
  ).mappings(words(['1', 'ok', OK], ['0', 'failed', BAD])),
  timePanel(
    { title: 'Duration of calls', description: 'How long each call took.', unit: 's', width: 12, height: 7 },
    { expr: QUERIES.scrapeDurationByApi, legend: '{{api}} of {{instance}}' },
  ).min(0),
  timePanel(
    {
      title: 'Errors by reason',
      description: 'Why calls failed. No data is good news: there were none.',
      unit: 'none',
      width: 12,
      height: 7,
    },
    { expr: QUERIES.scrapeErrors, legend: '{{api}} of {{instance}}: {{reason}}' },
  ).noValue('No errors'),
  timePanel(
    {
      title: 'Rows not understood',
      description: 'Rows of /api/ps that the exporter could not use. Anything above 0 is worth an issue.',
      unit: 'none',
      width: 12,
      height: 7,
    },
    { expr: QUERIES.skippedModels, legend: '{{instance}}' },
  ).min(0),
];

export const exporterRow = () => [
  timePanel(
    {
      title: 'CPU',
      description: 'Processor time that the exporter uses.',
      unit: 'percentunit',
      width: 6,
      height: 7,
    },
    { expr: QUERIES.exporterCpu, legend: '{{instance}}' },
  ).min(0),
  timePanel(
    { title: 'Memory', description: 'Resident memory of the exporter.', unit: 'bytes', width: 6, height: 7 },
    { expr: QUERIES.exporterMemory, legend: '{{instance}}' },
  ).min(0),
  timePanel(
    {
      title: 'Event loop lag',
      description: 'How late 99% of the timers of the exporter are at most. Tens of milliseconds are normal.',
      unit: 's',
      width: 6,
      height: 7,
    },
    { expr: QUERIES.exporterLag, legend: '{{instance}}' },
  ).min(0),
  statPanel(
    { title: 'Build', description: 'Version of the exporter.', unit: 'none', width: 6 },
    { expr: QUERIES.exporterBuild, legend: '{{version}} on Node.js {{node_version}}' },
  ).textMode(BigValueTextMode.Name),
];
