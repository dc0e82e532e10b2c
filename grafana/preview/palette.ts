/** Reduces the size of a PNG: a palette of the 256 most frequent colors takes a third of the bytes. */
import { crc32, deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
const CHANNELS = 3;

/**
 * @param png as written by Chromium: 8 bits for each of red, green and blue, not interlaced
 * @returns the same image with 8 bits per pixel; rare colors become the nearest frequent one
 */
export function withPalette(png: Buffer): Buffer {
  const { header, data } = readChunks(png);
  const width = header.readUInt32BE(0);
  const height = header.readUInt32BE(4);
  const rows = unfiltered(inflateSync(data), width, height);
  const counts = new Map<number, number>();
  for (let at = 0; at < rows.length; at += CHANNELS) {
    const pixel = rows.readUIntBE(at, CHANNELS);
    counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  }
  const palette = [...counts.entries()]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 256)
    .map(([pixel]) => pixel);
  const indexes = new Map(palette.map((pixel, index) => [pixel, index]));
  const indexed = Buffer.alloc(height * (width + 1));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const pixel = rows.readUIntBE((y * width + x) * CHANNELS, CHANNELS);
      const index = indexes.get(pixel) ?? nearest(pixel, palette);
      indexes.set(pixel, index);
      indexed[y * (width + 1) + 1 + x] = index;
    }
  }
  const colors = Buffer.alloc(palette.length * CHANNELS);
  for (const [index, pixel] of palette.entries()) {
    colors.writeUIntBE(pixel, index * CHANNELS, CHANNELS);
  }
  const newHeader = Buffer.from(header);
  newHeader[9] = 3; // indexed color
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', newHeader),
    chunk('PLTE', colors),
    chunk('IDAT', deflateSync(indexed, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function readChunks(png: Buffer): { readonly header: Buffer; readonly data: Buffer } {
  const chunks: { readonly type: string; readonly body: Buffer }[] = [];
  for (let at = SIGNATURE.length; at < png.length; ) {
    const length = png.readUInt32BE(at);
    chunks.push({
      type: png.toString('latin1', at + 4, at + 8),
      body: png.subarray(at + 8, at + 8 + length),
    });
    at += length + 12;
  }
  const bodies = (type: string) =>
    Buffer.concat(chunks.filter((one) => one.type === type).map(({ body }) => body));
  const header = bodies('IHDR');
  if (header[8] !== 8 || header[9] !== 2 || header[12] !== 0) {
    throw new Error('can not read the screenshot: not 8 bits of red, green and blue without interlacing');
  }
  return { header, data: bodies('IDAT') };
}

/** Reverses the row's filter, which predicts each byte from those to the left and above (PNG 1.2, section 6). */
function unfiltered(filtered: Buffer, width: number, height: number): Buffer {
  const length = width * CHANNELS;
  // A row and a pixel of zeros before the first ones represent the area outside.
  const padded = length + CHANNELS;
  const rows = Buffer.alloc(padded * (height + 1));
  for (let y = 0; y < height; y += 1) {
    const from = y * (length + 1);
    for (let x = 0; x < length; x += 1) {
      const at = (y + 1) * padded + CHANNELS + x;
      const [left = 0, above = 0, corner = 0] = [at - CHANNELS, at - padded, at - padded - CHANNELS].map(
        (index) => rows[index],
      );
      rows[at] = (filtered[from + 1 + x] ?? 0) + predicted(filtered[from], left, above, corner);
    }
  }
  const each = Array.from({ length: height }, (_, y) => (y + 1) * padded + CHANNELS);
  return Buffer.concat(each.map((begin) => rows.subarray(begin, begin + length)));
}

function predicted(filter: number | undefined, left: number, above: number, corner: number): number {
  switch (filter) {
    case 1:
      return left;
    case 2:
      return above;
    case 3:
      return (left + above) >> 1;
    case 4:
      return [left, above, corner].reduce((best, candidate) =>
        Math.abs(left + above - corner - candidate) < Math.abs(left + above - corner - best)
          ? candidate
          : best,
      );
    default:
      return 0;
  }
}

function nearest(pixel: number, palette: readonly number[]): number {
  const distance = (other: number) =>
    [16, 8, 0].reduce((sum, shift) => sum + (((pixel >> shift) & 255) - ((other >> shift) & 255)) ** 2, 0);
  return palette.reduce((best, candidate, index) => {
    const known = palette[best];
    return known === undefined || distance(candidate) < distance(known) ? index : best;
  }, 0);
}

function chunk(type: string, body: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(body.length, 0);
  frame.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([frame.subarray(0, 4), named, frame.subarray(4)]);
}
