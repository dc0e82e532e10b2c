/** Recorded responses of real servers (test/fixtures/answers), as messages that can be sent again. */
import { readdirSync, readFileSync } from 'node:fs';

const FOLDER = new URL('../fixtures/answers/', import.meta.url);

export interface Sample {
  /** Such as `0.12.6/chat-stream`. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly requestBody: string;
  /** With line breaks. */
  readonly head: string;
  /** One for each flush of the server. */
  readonly chunks: readonly string[];
  readonly status: number;
  readonly contentType: string;
}

export const SAMPLES: readonly Sample[] = readdirSync(FOLDER)
  .flatMap((version) => readdirSync(new URL(`${version}/`, FOLDER)).map((file) => `${version}/${file}`))
  .map((file) => parseSample(file.replace('.txt', ''), readFileSync(new URL(file, FOLDER), 'utf8')));

function parseSample(name: string, text: string): Sample {
  const [request = '', head = '', ...rest] = text.split('\n\n');
  const [line = '', requestBody = ''] = request.split('\n');
  const [method = '', path = ''] = line.split(' ');
  // What was omitted when recording, and how the connection ended.
  const lines = rest
    .join('\n')
    .replace(/\n?\(closed by the \w+\)\n?$/, '')
    .split('\n')
    .filter((part) => part !== '' && !/^\.\.\. \d+ lines \.\.\.$/.test(part))
    .map((part) => part.replaceAll(', ...', ''));
  const contentType = /^content-type: (.*)$/im.exec(head)?.[1] ?? '';
  const chunks = chunksOf(contentType, lines);
  const length = method === 'HEAD' ? undefined : Buffer.byteLength(chunks.join(''));
  const framed = head
    .replace(/^Connection: close\n/m, '')
    .replace(/^Content-Length: \d+$/m, (old) => (length === undefined ? old : `Content-Length: ${length}`));
  return {
    name,
    method,
    path,
    requestBody,
    head: `${framed.split('\n').join('\r\n')}\r\n\r\n`,
    chunks,
    status: Number(head.split(' ')[1]),
    contentType,
  };
}

function chunksOf(contentType: string, lines: readonly string[]): readonly string[] {
  if (contentType.startsWith('application/x-ndjson')) {
    return lines.map((line) => `${line}\n`);
  }
  if (contentType === 'text/event-stream') {
    // The blank lines were omitted, too.
    return lines.map((line) => (line.startsWith('event:') ? `${line}\n` : `${line}\n\n`));
  }
  return lines.length === 0 ? [] : [lines.join('\n')];
}

/** The message as Ollama sends it. */
export function messageOf({ head, chunks }: Pick<Sample, 'head' | 'chunks'>): Buffer {
  const isChunked = /^transfer-encoding: chunked/im.test(head);
  const body = isChunked
    ? `${chunks.map((chunk) => `${Buffer.byteLength(chunk).toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`
    : chunks.join('');
  return Buffer.from(head + body);
}

/** As a stream without HTTP framing. */
export function bodyOf({ chunks }: Pick<Sample, 'chunks'>): Buffer {
  return Buffer.from(chunks.join(''));
}
