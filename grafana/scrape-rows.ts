/** The last rows: scrapes, and the exporter's own process. */
import { BigValueTextMode } from '@grafana/grafana-foundation-sdk/common';
import { FieldColorBuilder, FieldColorModeId } from '@grafana/grafana-foundation-sdk/dashboard';
import { COLORS, colored, NOTHING_SCRAPED, statPanel, timelinePanel, timePanel } from './panels.ts';
import { QUERIES } from './queries.ts';

const { OK, WARN } = COLORS;

export const scrapeRow = () => [
  timelinePanel(
    {
      title: 'Errors by reason',
      description:
        'Which requests to Ollama failed, why, and on how many servers. Only /api/ps timing out means that a runner or the scheduler is stuck.',
      unit: 'none',
      width: 12,
      height: 7,
    },
    { expr: QUERIES.errorsByReason, legend: '{{api}}: {{reason}}' },
  )
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.ContinuousReds))
    .noValue('No errors'),
  timePanel(
    {
      title: 'Duration of requests',
      description:
        'Time that requests to Ollama take: the slowest server, and the median. Milliseconds are normal; seconds mean a runner that hangs, or a stuck scheduler.',
      unit: 's',
      width: 9,
      height: 7,
    },
    { expr: QUERIES.slowestCall, legend: '{{api}} slowest' },
    { expr: QUERIES.medianCall, legend: '{{api}} median' },
  )
    .noValue(NOTHING_SCRAPED)
    .min(0),
  statPanel(
    {
      title: 'Models skipped',
      description:
        'Entries of /api/ps without a name or valid sizes, which the exporter skips. Report them as an issue.',
      unit: 'none',
      width: 3,
    },
    { expr: QUERIES.skippedRows },
  )
    .height(7)
    .thresholds(colored([null, OK], [1, WARN])),
];

export const exporterRow = () => [
  timePanel(
    {
      title: 'CPU',
      description: 'CPU that the exporter uses: the 10 busiest exporters.',
      unit: 'percentunit',
      width: 12,
      height: 7,
    },
    { expr: QUERIES.exporterCpu, legend: '{{instance}}' },
  )
    .noValue(NOTHING_SCRAPED)
    .min(0),
  timePanel(
    {
      title: 'Memory',
      description: 'Resident memory of the exporter: the 10 largest.',
      unit: 'bytes',
      width: 12,
      height: 7,
    },
    { expr: QUERIES.exporterMemory, legend: '{{instance}}' },
  )
    .noValue(NOTHING_SCRAPED)
    .min(0),
  timePanel(
    {
      title: 'Event loop utilization',
      description:
        'Part of the time in which the event loop of the exporter is active: the 10 busiest exporters. If it is much more than CPU, the exporter waits for a CPU.',
      unit: 'percentunit',
      width: 12,
      height: 7,
    },
    { expr: QUERIES.exporterUtilization, legend: '{{instance}}' },
  )
    .noValue(NOTHING_SCRAPED)
    .min(0),
  statPanel(
    { title: 'Builds', description: 'Versions of the exporter, and how many run.', unit: 'none', width: 12 },
    { expr: QUERIES.exporterBuilds, legend: '{{version}} on Node.js {{node_version}}' },
  )
    .height(7)
    .textMode(BigValueTextMode.ValueAndName)
    .noValue(NOTHING_SCRAPED),
];
