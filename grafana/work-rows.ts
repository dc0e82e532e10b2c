/** The collapsed rows: activity of models, and requests of clients. */
import { StackingConfigBuilder, StackingMode } from '@grafana/grafana-foundation-sdk/common';
import { FieldColorBuilder, FieldColorModeId } from '@grafana/grafana-foundation-sdk/dashboard';
import { NO_COUNTERS, NO_PROXY, NO_RUNNERS, type Query, timePanel } from './panels.ts';
import { WORK } from './work-queries.ts';

interface GraphOptions {
  readonly title: string;
  readonly description: string;
  readonly unit?: string;
  readonly noValue: string;
}

function graph({ noValue, unit = 'none', ...options }: GraphOptions, ...queries: readonly Query[]) {
  return timePanel({ ...options, unit, width: 12, height: 7 }, ...queries)
    .noValue(noValue)
    .min(0)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName));
}

function stackedGraph(options: GraphOptions, ...queries: readonly Query[]) {
  return graph(options, ...queries)
    .fillOpacity(40)
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
}

/** A query of a stacked graph that is a limit, not part of the stack. */
const limit = [
  { id: 'custom.stacking', value: { mode: StackingMode.None, group: 'A' } },
  { id: 'custom.fillOpacity', value: 0 },
  { id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 8] } },
];

export const workRow = () => [
  stackedGraph(
    {
      title: 'Busy slots',
      description:
        'Requests that the models work on. The dashed line is how many they take at once: further ones wait.',
      noValue: NO_RUNNERS,
    },
    { expr: WORK.slotsBusy, legend: '{{model}}' },
    { expr: WORK.slots, legend: 'all slots' },
  )
    .decimals(0)
    .overrideByQuery('B', limit),
  stackedGraph(
    {
      title: 'Tokens per second by model',
      description:
        'Tokens that each model generates. They are counted when a request ends, so a long one shows as a peak at its end.',
      noValue: NO_COUNTERS,
    },
    { expr: WORK.generated, legend: '{{model}}' },
  ),
  graph(
    {
      title: 'Tokens per second of one request',
      description:
        'Generated tokens by the time that requests spent on generating them: the speed that a user sees. It falls when requests share a model, and when a part of it is in RAM.',
      noValue: NO_COUNTERS,
    },
    { expr: WORK.generatedPerRequest, legend: '{{model}}' },
  ),
  graph(
    {
      title: 'Prompt cache share',
      description:
        'Share of the prompt tokens that came from the cache, so that they were not computed again. With Ollama 0.32.14 or later.',
      unit: 'percentunit',
      noValue: NO_COUNTERS,
    },
    { expr: WORK.cachedShare, legend: '{{model}}' },
  ).max(1),
  stackedGraph(
    {
      title: 'Prompt and generated tokens per second',
      description:
        'Prompt tokens that were computed, those that came from the cache, and generated tokens, of all selected models.',
      noValue: NO_COUNTERS,
    },
    { expr: WORK.allPrompt, legend: 'prompt, computed' },
    { expr: WORK.allCached, legend: 'prompt, from the cache' },
    { expr: WORK.allGenerated, legend: 'generated' },
  ),
  stackedGraph(
    {
      title: 'RAM of runners',
      description:
        "Resident memory of the models' processes. It includes their prompt caches, which Ollama's sizes leave out, and no VRAM.",
      unit: 'bytes',
      noValue: NO_RUNNERS,
    },
    { expr: WORK.runnerMemory, legend: '{{model}}' },
  ),
];

function quantiles(options: Omit<GraphOptions, 'unit' | 'noValue'>, median: string, p95: string) {
  return graph(
    { ...options, unit: 's', noValue: NO_PROXY },
    { expr: p95, legend: '95%' },
    { expr: median, legend: '50%' },
  );
}

export const requestRow = () => [
  stackedGraph(
    {
      title: 'Requests per second by outcome',
      description:
        'Requests through the proxy that ended, by how they ended. Requests that fail early name no model: all models are shown.',
      noValue: NO_PROXY,
    },
    { expr: WORK.requestsByOutcome, legend: '{{outcome}}' },
  ),
  graph(
    {
      title: 'In flight and waiting',
      description:
        'Requests in the proxy, slots that are busy, and the difference: requests that wait for a slot or for a model to load. The slots need --collector.runners, and the same label instance on both targets.',
      noValue: NO_PROXY,
    },
    { expr: WORK.inFlight, legend: 'in flight' },
    { expr: WORK.inSlots, legend: 'busy slots' },
    { expr: WORK.waiting, legend: 'waiting' },
  ).decimals(0),
  quantiles(
    {
      title: 'Duration of responses',
      description:
        'Time from a request to the end of its response: half of them, and 95% of them, take less.',
    },
    WORK.durationMedian,
    WORK.durationP95,
  ),
  quantiles(
    {
      title: 'Time to first token',
      description:
        'Time from a request to the first token of its stream: half of them, and 95% of them, wait less.',
    },
    WORK.firstTokenMedian,
    WORK.firstTokenP95,
  ),
  quantiles(
    {
      title: 'Load duration',
      description:
        "Ollama's queue, eviction and load before a request begins: near 0 while its model stays loaded.",
    },
    WORK.loadMedian,
    WORK.loadP95,
  ),
  stackedGraph(
    {
      title: 'Tokens per second through the proxy',
      description:
        'Tokens that each model generates for requests through the proxy. They are counted when a response ends.',
      noValue: NO_PROXY,
    },
    { expr: WORK.requestTokens, legend: '{{model}}' },
  ),
];
