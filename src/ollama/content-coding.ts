/** Decompresses a body that a gateway compressed, although the request accepts `identity` only. */
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';
import { messageOf } from '../log/error-text.ts';
import { ApiError } from './errors.ts';

type Decoder = (bytes: Buffer, limits: { readonly maxOutputLength: number }) => Promise<Buffer>;

/** RFC 9110, 8.4.1. */
const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['br', promisify(brotliDecompress)],
  ['deflate', (bytes, limits) => promisify(isZlib(bytes) ? inflate : inflateRaw)(bytes, limits)],
]);

/** One per gateway; each can use the full limit of bytes. */
const MAX_CODINGS = 3;

/** Some servers use the raw format for `deflate`, without the two header bytes of RFC 1950. */
function isZlib(bytes: Buffer): boolean {
  return bytes.length >= 2 && (bytes.readUInt8(0) & 15) === 8 && bytes.readUInt16BE(0) % 31 === 0;
}

/**
 * @param codings of the header Content-Encoding: in the order in which they were applied
 * @param maxBytes of each step's result
 * @throws ApiError `invalid` if the coding is unknown or the body can't be decoded, `too_large`
 */
export async function decodeBody(
  bytes: Buffer,
  codings: readonly string[],
  maxBytes: number,
): Promise<Buffer> {
  if (codings.length > MAX_CODINGS) {
    throw new ApiError(
      'invalid',
      `the response has ${codings.length} content codings, more than ${MAX_CODINGS}`,
    );
  }
  let decoded = bytes;
  for (const coding of codings.toReversed()) {
    const decode = DECODERS.get(coding);
    if (decode === undefined) {
      throw new ApiError(
        'invalid',
        `the response has the content coding ${JSON.stringify(coding.slice(0, 40))}`,
      );
    }
    decoded = await decode(decoded, { maxOutputLength: maxBytes }).catch((cause: unknown) => {
      throw isTooLarge(cause)
        ? new ApiError(
            'too_large',
            `the response is larger than ${maxBytes} bytes after decoding ${coding}`,
            {
              cause,
            },
          )
        : new ApiError('invalid', `the response is not valid ${coding}: ${messageOf(cause)}`, { cause });
    });
  }
  return decoded;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

/** @param header as received: once, several times or not at all */
export function contentCodings(header: string | string[] | undefined): readonly string[] {
  return [header ?? []]
    .flat()
    .flatMap((value) => value.toLowerCase().split(','))
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
}
