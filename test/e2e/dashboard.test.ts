import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { manyServers } from '../../grafana/preview/fleet.ts';
import { type PastHour, pastHour, type Relabel, STEP } from '../../grafana/preview/past-hour.ts';
import { annotationQueries, dataPanels, filledIn, readDashboard, type Target } from '../dashboard.ts';
import type { Series } from './prometheus-process.ts';

const END = Date.UTC(2026, 10, 26, 12) / 1_000;
const START = END - 4_800;

const dashboard = readDashboard();
const exporterRow = dashboard.panels.find(({ title }) => title === 'Exporter');
/** All queries except those about the exporter's process, which simulated scrapes do not have. */
const queries = dataPanels(dashboard)
  .filter((panel) => !exporterRow?.panels?.includes(panel))
  .flatMap(({ title, targets = [] }) =>
    targets.map((target) => ({ ...target, name: `${title} ${target.refId}` })),
  );

const [, models = ''] =
  /^query_result\((.*)\)$/.exec(
    dashboard.templating.list.find(({ name }) => name === 'model')?.query ?? '',
  ) ?? [];
/** As Grafana queries the values of a variable. */
const variable = { expr: models, instant: true };

/** Labels of a target that collide with the exporter's. */
const OF_TARGET = { model: 'dgx', quantization: 'none', version: '7', api: 'v1', reason: 'lease' };

/** Prometheus's rules for labels that a series and its target share (docs, honor_labels). */
const COLLISIONS: Readonly<Record<string, Relabel>> = {
  'renames ours': (series, target) => ({
    ...Object.fromEntries(
      Object.entries(series).map(([label, value]) => [
        label in OF_TARGET ? `exported_${label}` : label,
        value,
      ]),
    ),
    ...target,
    ...OF_TARGET,
  }),
  'honors ours': (series, target) => ({ ...target, ...OF_TARGET, ...series }),
};

describe.skipIf(inject('prometheus') === undefined)('a real Prometheus with an hour of 20 servers', () => {
  let plain: PastHour;

  beforeAll(async () => {
    plain = await pastHour(manyServers(20, START * 1_000, END * 1_000), START, END);
  });
  afterAll(() => plain?.stop());

  /** To nine digits: the order in which Prometheus adds up affects the last ones. */
  const sorted = (series: readonly Series[]) =>
    series
      .map(({ labels, samples }) => ({
        labels: Object.entries(labels).sort(),
        samples: samples.map(([at, value]) => [at, Number(value.toPrecision(9))]),
      }))
      .map((one) => JSON.stringify(one))
      .sort();
  const runQuery = ({ prometheus }: PastHour, { expr, instant }: Pick<Target, 'expr' | 'instant'>) =>
    instant
      ? prometheus.query(filledIn(expr), END)
      : prometheus.queryRange(filledIn(expr), END - 3_600, END, STEP * 8);

  test('this test fills in every variable of the dashboard', () => {
    for (const { expr } of [...dataPanels(dashboard).flatMap(({ targets = [] }) => targets)]) {
      // What remains is the first group of a regular expression.
      expect(filledIn(expr).replaceAll('"$1"', '')).not.toContain('$');
    }
  });

  test.each(queries)('$name has data', async (target) => {
    expect(await runQuery(plain, target)).not.toEqual([]);
  });

  test('an Ollama that is down and an exporter that is not scraped are listed with their reasons', async () => {
    const [reasons, since] = queries.filter(({ name }) => name.startsWith('Down '));
    const byInstance = async ({ expr = '' } = {}) =>
      (await plain.prometheus.query(filledIn(expr), END)).toSorted((a, b) =>
        (a.labels['instance'] ?? '').localeCompare(b.labels['instance'] ?? ''),
      );
    expect((await byInstance(reasons)).map(({ labels }) => labels)).toEqual([
      { job: 'ollama', instance: 'gpu-12:11434', reason: 'refused' },
      { job: 'ollama', instance: 'gpu-18:11434', reason: 'not scraped' },
    ]);
    // To the minute, since the last scrape that found it up.
    expect((await byInstance(since)).map(({ samples }) => samples[0]?.[1])).toEqual([600, 300]);
  });

  test.each(annotationQueries(dashboard))('annotation $name has data', async (annotation) => {
    expect(await runQuery(plain, annotation)).not.toEqual([]);
  });

  describe.each(Object.entries(COLLISIONS))(
    "if targets have labels with the exporter's names, which %s,",
    (_, relabel) => {
      let collided: PastHour;

      beforeAll(async () => {
        collided = await pastHour(manyServers(20, START * 1_000, END * 1_000), START, END, relabel);
      });
      afterAll(() => collided?.stop());

      // Which alerts fire is tested with the rules.
      test.each(queries.filter(({ expr }) => !expr.includes('ALERTS')))(
        '$name has the same data',
        async (target) => {
          expect(sorted(await runQuery(collided, target))).toEqual(sorted(await runQuery(plain, target)));
        },
      );

      test('the variable for models has the same values', async () => {
        const listed = sorted(await runQuery(collided, variable));
        expect(listed).not.toEqual([]);
        expect(listed).toEqual(sorted(await runQuery(plain, variable)));
      });

      test.each(queries.filter(({ expr }) => expr.includes('$model')))(
        '$name has the same data for one selected model',
        async ({ expr, ...target }) => {
          const chosen = { ...target, expr: expr.replaceAll('$model', 'qwen3:32b') };
          const found = await runQuery(collided, chosen);
          expect(found).not.toEqual([]);
          expect(sorted(found)).toEqual(sorted(await runQuery(plain, chosen)));
        },
      );
    },
  );
});
