/** Turns loaded models into the body of /api/ps, to the byte as Go's encoding/json writes it. */
import type { LoadedModel } from './scheduler.ts';

/** Compact, in the order of the struct, with `<`, `>` and `&` escaped (api/types.go:835-844). */
export function psBody(loaded: readonly LoadedModel[]): string {
  return goJson({ models: loaded.map(row) });
}

export function versionBody(version: string): string {
  return goJson({ version });
}

function row({ model, sizeVramBytes, expiresAtMs }: LoadedModel) {
  return {
    name: model.name,
    model: model.name,
    size: model.sizeBytes,
    digest: model.digest,
    details: {
      parent_model: '',
      format: 'gguf',
      family: model.family,
      families: [model.family],
      parameter_size: model.parameterSize,
      quantization_level: model.quantization,
    },
    expires_at: rfc3339Nano(expiresAtMs),
    size_vram: sizeVramBytes,
    context_length: model.contextLength,
  };
}

/** Go trims trailing zeros of the fraction, and the dot with the last of them. */
function rfc3339Nano(unixMs: number): string {
  return new Date(unixMs).toISOString().replace(/\.?0*Z$/, 'Z');
}

function goJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
