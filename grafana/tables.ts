/** The tables: servers that are down, firing alerts, servers, models. */
import type { PanelBuilder } from '@grafana/grafana-foundation-sdk/table';
import {
  ascending,
  type Column,
  descending,
  gauge,
  hidden,
  joined,
  links,
  mappings,
  noValue,
  textColor,
  thresholds,
  unit,
} from './columns.ts';
import { exporterPage, onlyThisServer, runbook, runbookOfAlert } from './links.ts';
import { COLORS, type Frame, NOTHING_SCRAPED, range, type Step, words } from './panels.ts';
import { QUERIES } from './queries.ts';
import { reasonWords } from './reasons.ts';

const { OK, WARN, BAD } = COLORS;

const server: Column = {
  title: 'Server',
  properties: [links(onlyThisServer, exporterPage)],
};
const job: Column = { title: 'Job', width: 110 };
const vramSteps: readonly Step[] = [
  [null, OK],
  [0.85, WARN],
  [0.95, BAD],
];

export function downTable(frame: Frame): PanelBuilder {
  return joined(
    frame,
    {
      instance: server,
      reason: { title: 'Reason', properties: [mappings(reasonWords), links(runbook('ollamadown'))] },
      B: { title: 'Down for', width: 120, properties: [unit('s'), noValue('over 6 hours')] },
      job,
    },
    { A: QUERIES.downReason, B: QUERIES.downFor },
  )
    .noValue('All servers are up, or none is selected')
    .sortBy(ascending('Down for'));
}

export function alertTable(frame: Frame): PanelBuilder {
  const severity = words(
    ['critical', 'critical', BAD],
    ['warning', 'warning', WARN],
    ['info', 'info', 'blue'],
  );
  return joined(
    frame,
    {
      severity: { title: 'Severity', width: 90, properties: [textColor, mappings(severity)] },
      alertname: {
        title: 'Alert',
        properties: [links(runbookOfAlert)],
      },
      instance: server,
      model: { title: 'Model', properties: [noValue()] },
      B: { title: 'Active for', width: 110, properties: [unit('s')] },
      job: { title: 'Job', properties: [hidden] },
      runbook: { title: 'runbook', properties: [hidden] },
    },
    { A: QUERIES.alertsFiring, B: QUERIES.alertsActiveFor },
  )
    .withTransformation({
      id: 'formatString',
      options: { stringField: 'runbook', outputFormat: 'Lower Case', substringStart: 0, substringEnd: 100 },
    })
    .noValue('No alert is firing, or the rules are not loaded')
    .sortBy(ascending('Severity', 'Active for'));
}

export function serverTable(frame: Frame): PanelBuilder {
  return joined(
    frame,
    {
      instance: server,
      A: {
        title: 'Ollama',
        width: 110,
        properties: [
          textColor,
          mappings(words(['1', 'Up', OK], ['0', 'Down', BAD], ['-1', 'Not scraped', BAD])),
          links(runbook('ollamadown')),
        ],
      },
      version: { title: 'Version', width: 110, properties: [noValue()] },
      C: { title: 'Models', width: 80, properties: [noValue()] },
      D: {
        title: 'VRAM used',
        width: 110,
        properties: [unit('bytes'), { id: 'decimals', value: 1 }, noValue()],
      },
      E: {
        title: 'VRAM share',
        properties: [
          unit('percentunit'),
          { id: 'decimals', value: 0 },
          gauge,
          { id: 'min', value: 0 },
          { id: 'max', value: 1 },
          thresholds(...vramSteps),
          noValue('capacity not set, or down'),
          links(runbook('ollamavramfull')),
        ],
      },
      F: {
        title: 'Spilled',
        width: 90,
        properties: [
          textColor,
          thresholds([null, 'text'], [1, WARN]),
          noValue(),
          links(runbook('ollamamodelspilledtoram')),
        ],
      },
      G: { title: 'Busy slots', width: 110, properties: [noValue()] },
      H: { title: 'Last change', width: 120, properties: [unit('s'), noValue('over 1 hour')] },
      job,
    },
    {
      A: QUERIES.serverState,
      B: QUERIES.serverVersion,
      C: QUERIES.serverModels,
      D: QUERIES.serverVram,
      E: QUERIES.serverVramShare,
      F: QUERIES.serverSpilled,
      G: QUERIES.serverBusySlots,
      H: QUERIES.serverLastChange,
    },
  )
    .noValue(NOTHING_SCRAPED)
    .sortBy(descending('VRAM share'));
}

export function modelTable(frame: Frame): PanelBuilder {
  return joined(
    frame,
    {
      model: { title: 'Model' },
      quantization: { title: 'Quantization', width: 125 },
      A: { title: 'Size', width: 100, properties: [unit('bytes'), { id: 'decimals', value: 1 }] },
      B: { title: 'VRAM', width: 100, properties: [unit('bytes'), { id: 'decimals', value: 1 }, noValue()] },
      C: {
        title: 'GPU',
        properties: [
          unit('percent'),
          gauge,
          { id: 'min', value: 0 },
          { id: 'max', value: 100 },
          thresholds([null, BAD], [1, WARN], [100, OK]),
          noValue(),
        ],
      },
      D: { title: 'Context', width: 90, properties: [unit('locale'), noValue()] },
      E: {
        title: 'Context changes',
        width: 150,
        properties: [textColor, thresholds([null, 'text'], [1, WARN]), noValue()],
      },
      F: {
        title: 'Until',
        width: 110,
        properties: [
          unit('s'),
          mappings(range(6e8, 1e9, 'Forever')),
          textColor,
          thresholds([null, WARN], [0, 'text']),
          noValue(),
        ],
      },
      instance: server,
      job: { title: 'Job', properties: [hidden] },
    },
    {
      A: QUERIES.modelSize,
      B: QUERIES.modelVram,
      C: QUERIES.modelGpu,
      D: QUERIES.modelContext,
      E: QUERIES.modelContextChanges,
      F: QUERIES.modelUntil,
    },
  ).sortBy(descending('VRAM'));
}
