/** Turns models into the bodies of Ollama's API, to the byte as Go's encoding/json writes them. */
import type { CatalogModel } from './catalog.ts';
import type { LoadedModel } from './scheduler.ts';

/** Compact, in the order of the struct, with `<`, `>` and `&` escaped (api/types.go:835-844). */
export function psBody(loaded: readonly LoadedModel[]): string {
  return goJson({ models: loaded.map(row) });
}

export function versionBody(version: string): string {
  return goJson({ version });
}

/** In the order of the struct (api/types.go:817-819). */
export function tagsBody(installed: readonly CatalogModel[], modifiedAtMs: number): string {
  const models = installed.map((model) => ({
    name: model.name,
    model: model.name,
    modified_at: rfc3339Nano(modifiedAtMs),
    size: model.diskBytes,
    digest: model.digest,
    details: details(model),
  }));
  return goJson({ models });
}

function row({ model, sizeVramBytes, expiresAtMs }: LoadedModel) {
  return {
    name: model.name,
    model: model.name,
    size: model.sizeBytes,
    digest: model.digest,
    details: details(model),
    expires_at: rfc3339Nano(expiresAtMs),
    size_vram: sizeVramBytes,
    context_length: model.contextLength,
  };
}

function details({ family, parameterSize, quantization }: CatalogModel) {
  return {
    parent_model: '',
    format: 'gguf',
    family,
    families: [family],
    parameter_size: parameterSize,
    quantization_level: quantization,
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
