/** Parses a YAML file with a schema into a value, or an error with file, line and path. */
import * as v from 'valibot';
import { type Document, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import { messageOf } from '../log/error-text.ts';
import { readRegularFileSync } from './files.ts';

/** A file that can't be used. One line: file, line, path and problem, without the value, which may be secret. */
export class FileError extends Error {
  override readonly name = 'FileError';
}

/**
 * Every scalar reaches the schema as written (`1.0`, `yes`, `0123`), as in Go; an empty value and `null` as ''.
 *
 * @throws FileError
 */
export function readYaml<TSchema extends v.GenericSchema>(
  file: string,
  schema: TSchema,
): v.InferOutput<TSchema> {
  return readYamlAsWritten(file, schema).value;
}

/** @returns also the input of the schema: mappings, lists and strings */
export function readYamlAsWritten<TSchema extends v.GenericSchema>(
  file: string,
  schema: TSchema,
  source = readSource(file),
): { readonly value: v.InferOutput<TSchema>; readonly written: unknown } {
  const lines = new LineCounter();
  // 1.1 as in Go's yaml package and Prometheus; failsafe creates no numbers or booleans.
  const options = {
    version: '1.1',
    schema: 'failsafe',
    logLevel: 'error',
    prettyErrors: false,
    merge: true,
  } as const;
  const document = parseDocument(source, { ...options, lineCounter: lines });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) {
    throw new FileError(`${file}:${lines.linePos(problem.pos[0]).line}: ${withoutQuote(problem)}`);
  }
  const written = plain(document, file);
  const result = v.safeParse(schema, written);
  if (!result.success) {
    // A misspelt key is also missing: the first error is more specific.
    const { message, path = [] } =
      result.issues.find(({ expected }) => expected === 'never') ?? result.issues[0];
    const keys = path.map(({ key }) => key);
    throw new FileError(`${file}:${lineOf(document, lines, keys)}: ${dotted(keys)}${message}`);
  }
  return { value: result.output, written };
}

/** A mapping with these keys and no others. No value is an empty mapping; keys without a value count as absent. */
export function mapping<TEntries extends v.ObjectEntries>(entries: TEntries) {
  const known = Object.keys(entries);
  return v.pipe(
    v.custom<Readonly<Record<string, unknown>>>(isMapping, 'expected a mapping'),
    v.transform((input) =>
      Object.fromEntries(
        Object.entries(input).filter(([key, value]) => value !== '' || !known.includes(key)),
      ),
    ),
    v.strictObject(entries, ({ expected }) =>
      expected === 'never' ? `unknown key, expected one of ${known.join(', ')}` : `${expected} is missing`,
    ),
  );
}

/** A mapping with user-defined keys. All are kept, even without a value, or with a name such as __proto__. */
export function namedEntries<TSchema extends v.GenericSchema>(schema: TSchema) {
  return v.pipe(
    v.custom<Readonly<Record<string, unknown>>>(isMapping, 'expected a mapping'),
    v.check(
      (input) => !LOST_NAMES.some((name) => Object.hasOwn(input, name)),
      `the names ${LOST_NAMES.join(', ')} cannot be used`,
    ),
    v.record(v.string(), schema),
  );
}

/** valibot's record silently drops them. */
const LOST_NAMES = ['__proto__', 'prototype', 'constructor'];

export function list<TSchema extends v.GenericSchema>(item: TSchema) {
  return v.array(item, 'expected a list');
}

/** A string that a parser converts; the message of the parser's error becomes the issue. */
export function text<T = string>(parse: (text: string) => T) {
  return v.pipe(v.string('expected a single value'), parsedBy(parse));
}

/** A step of `v.pipe`: a parser converts the string; the message of its error becomes the issue. */
export function parsedBy<TIn, TOut>(parse: (value: TIn) => TOut) {
  return v.rawTransform<TIn, TOut>(({ dataset, addIssue, NEVER }) => {
    try {
      return parse(dataset.value);
    } catch (error) {
      addIssue({ message: messageOf(error) });
      return NEVER;
    }
  });
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['true', 'yes', 'on', 'y'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', 'n'].map((word) => [word, false] as const),
]);

/** The booleans of YAML 1.1. */
export function parseBoolean(word: string): boolean {
  const value = BOOLEANS.get(word.toLowerCase());
  if (value === undefined) {
    throw new Error('expected true or false');
  }
  return value;
}

/** 10,000 entries. Beyond that, the parser takes too much memory and time. */
const MAX_BYTES = 256 * 1024;

/** @throws FileError */
export function readSource(file: string): string {
  try {
    return readRegularFileSync(file, MAX_BYTES);
  } catch (cause) {
    throw new FileError(`${file}: can't be read: ${messageOf(cause)}`, { cause });
  }
}

const NULL = /^(~|null|Null|NULL)?$/;

function plain(document: Document, file: string): unknown {
  visit(document, {
    Scalar: (_key, scalar) => {
      if (scalar.type === 'PLAIN' && NULL.test(scalar.source ?? '')) {
        scalar.value = '';
      }
    },
  });
  try {
    return document.toJS() ?? '';
  } catch (error) {
    // An alias without an anchor, or too many aliases.
    throw new FileError(`${file}: ${withoutQuote(error)}`);
  }
}

function isMapping(value: unknown): boolean {
  return value === '' || (typeof value === 'object' && value !== null && !Array.isArray(value));
}

/** Errors in which yaml quotes the source, other than after a colon. */
const QUOTING: ReadonlyMap<unknown, string> = new Map([
  ['BAD_DQ_ESCAPE', 'Invalid escape sequence'],
  ['BAD_DIRECTIVE', 'Unknown directive'],
  // The original message is for programmers.
  ['MULTIPLE_DOCS', 'there is more than one document'],
]);

/** The quoted source may contain a secret. */
function withoutQuote(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return QUOTING.get(code) ?? messageOf(error).replace(/: .*$/s, '');
}

/** `modules.default.allow[1]: `. Without a space after its colon, `password:secret` is a key. */
function dotted(keys: readonly unknown[]): string {
  const path = keys
    .map((key) => {
      const name = /^[\w.-]{1,64}$/.test(String(key)) ? key : '<key>';
      return typeof key === 'number' ? `[${key}]` : `.${name}`;
    })
    .join('');
  return path === '' ? '' : `${path.replace(/^\./, '')}: `;
}

/** Of the deepest key on the path that the document has. */
function lineOf(document: Document, lines: LineCounter, keys: readonly unknown[]): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const key of keys) {
    const pair = isMap(node)
      ? node.items.find((item) => isScalar(item.key) && item.key.value === key)
      : undefined;
    const position = isSeq(node) && typeof key === 'number' ? node.items[key] : pair?.key;
    offset = rangeStart(position) ?? offset;
    node = pair === undefined ? position : pair.value;
  }
  return lines.linePos(offset).line;
}

function rangeStart(node: unknown): number | undefined {
  const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined;
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : undefined;
}
