/** Turns the body of GET /api/tags into the models that are on disk. */
import { largest, type ModelList, type ModelRow, type NamedModel, readModels, total } from './model-rows.ts';
import { parseTimestamp } from './timestamp.ts';

export interface InstalledModel extends NamedModel {
  /** Bytes of all its layers on disk; layers that models share count for each. */
  readonly sizeBytes: number;
  /** Unix milliseconds; undefined where the server gives no usable time. */
  readonly modifiedAtMs: number | undefined;
}

export type InstalledModels = ModelList<InstalledModel>;

/**
 * @param body parsed JSON
 * @throws ApiError `invalid` where the body is not a list of models
 */
export function parseInstalledModels(body: unknown): InstalledModels {
  return readModels(body, readRow, mergeRows);
}

function readRow({ model, quantization, sizeBytes, fields }: ModelRow): InstalledModel {
  return { model, quantization, sizeBytes, modifiedAtMs: parseTimestamp(fields['modified_at']) };
}

/** Names are unique on disk; another server than Ollama may know no better. */
function mergeRows(twins: readonly [InstalledModel, ...InstalledModel[]]): InstalledModel {
  return {
    ...twins[0],
    sizeBytes: total(twins.map(({ sizeBytes }) => sizeBytes)),
    modifiedAtMs: largest(twins.map(({ modifiedAtMs }) => modifiedAtMs)),
  };
}
