/** The recorded bodies of /api/ps, and the time at which they were recorded. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';

export const FROZEN_NOW_MS = Date.parse('2026-08-22T12:00:00Z');

const FIXTURES = new URL('fixtures/', import.meta.url);

export function corpusNames(): readonly string[] {
  const names = readdirSync(new URL('ps-corpus/', FIXTURES));
  expect(names.length).toBeGreaterThan(20);
  return names;
}

export function readCorpus(name: string): string {
  return readFileSync(new URL(`ps-corpus/${name}`, FIXTURES), 'utf8');
}

export function readFixture(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8'));
}
