/** The rows of /api/ps → the blobs of their weights, which identify the runners. */
import type { OllamaClient } from '../ollama/client.ts';
import { ApiError, asApiError } from '../ollama/errors.ts';
import { keepLatest } from './bounded.ts';

/** A row of `/api/ps`. */
export interface Row {
  readonly model: string;
  readonly digest: string;
}

/**
 * @returns for each digest the blob, or why it is unknown
 */
export type BlobsOf = (
  ollama: OllamaClient,
  rows: readonly Row[],
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, string | ApiError>>;

/** The blob of a digest never changes. No server loads more models. */
const MAX_KNOWN = 1_024;

/** As many as there can be runners. The rest are looked up in the next scrape. */
const MAX_LOOKUPS = 64;

/** For `/api/tags`, Ollama reads every manifest: too much for each scrape. */
const RETRY_MS = 60_000;

interface Known {
  readonly blob: string | ApiError;
  readonly untilMs: number;
}

/** Caches what Ollama reports, for as long as a digest is in use. */
export function createBlobs(retryMs = RETRY_MS): BlobsOf {
  const known = new Map<string, Known>();

  const cache = (digest: string, blob: string | ApiError) => {
    const untilMs = blob instanceof ApiError ? performance.now() + retryMs : Number.POSITIVE_INFINITY;
    keepLatest(known, digest, { blob, untilMs }, MAX_KNOWN);
  };

  const lookUp = async (ollama: OllamaClient, rows: readonly Row[], signal: AbortSignal) => {
    const { models } = await ollama.tags({ signal });
    const blobOf = async ({ model, digest }: Row) => {
      // If the name was created again, /api/show reports another blob than the loaded one.
      const isInstalled = models.some(
        (installed) => installed.model === model && installed.digest === digest,
      );
      const blob = isInstalled ? await ollama.weights(model, { signal }) : undefined;
      return blob ?? unmapped(model, isInstalled);
    };
    await Promise.all(
      rows.map(async (row) => {
        const blob = await blobOf(row).catch(asApiError);
        if (blob instanceof ApiError && blob.reason === 'timeout') {
          throw blob;
        }
        cache(row.digest, blob);
      }),
    );
  };

  return async (ollama, rows, signal) => {
    const now = performance.now();
    const unknown = rows.filter(({ digest }) => digest !== '' && !((known.get(digest)?.untilMs ?? 0) > now));
    let failure: ApiError | undefined;
    if (unknown.length > 0) {
      await lookUp(ollama, unknown.slice(0, MAX_LOOKUPS), signal).catch((error: unknown) => {
        failure = asApiError(error);
      });
    }
    return new Map(
      rows.map(({ model, digest }) => {
        const found = known.get(digest);
        if (found !== undefined) {
          keepLatest(known, digest, found, MAX_KNOWN);
        }
        return [digest, found?.blob ?? failure ?? unmapped(model, false)];
      }),
    );
  };
}

function unmapped(model: string, isInstalled: boolean): ApiError {
  return new ApiError(
    'unmapped',
    isInstalled
      ? `/api/show names no file with the weights of ${model}`
      : `${model} was replaced or deleted while it is loaded, so its file is unknown`,
  );
}
