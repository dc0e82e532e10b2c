/** Reads the shipped rule files. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly keep_firing_for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface RuleGroup {
  readonly name: string;
  readonly rules: readonly Rule[];
}

export const PROMETHEUS_FOLDER = new URL('../prometheus/', import.meta.url);

export function readRuleGroups(file: 'alerts.yml' | 'recording.yml'): readonly RuleGroup[] {
  const { groups }: { readonly groups: readonly RuleGroup[] } = parse(
    readFileSync(new URL(file, PROMETHEUS_FOLDER), 'utf8'),
  );
  return groups;
}

export function readRules(file: 'alerts.yml' | 'recording.yml'): readonly Rule[] {
  return readRuleGroups(file).flatMap(({ rules }) => rules);
}
