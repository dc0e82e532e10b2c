import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { manifestPath } from '../kubernetes.ts';
import { readRuleGroups } from '../rule-files.ts';

const groups = [...readRuleGroups('recording.yml'), ...readRuleGroups('alerts.yml')];
const labels = { 'app.kubernetes.io/name': 'ollama-exporter', 'app.kubernetes.io/component': 'exporter' };
const rule = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: { name: 'ollama-exporter', labels },
  spec: { groups },
};
// 1.1, so that kubectl reads strings as such, and no folding, so that lines can be searched for.
const yaml = stringify(rule, { version: '1.1', lineWidth: 0 });

test('the PrometheusRule is generated from the rule files', async () => {
  const origin =
    '# Written by `npm run prometheus-rule` from prometheus/recording.yml and alerts.yml: edit those.';
  await expect(`${origin}\n${yaml}`).toMatchFileSnapshot(manifestPath('prometheusrule.yaml'));
});
