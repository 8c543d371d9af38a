import { createReadStream } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { TwinsealError } from "../errors.ts";
import { isNetworkError, publicUrl, type Http } from "../http.ts";
import { findPartials, removePartials, type Partial } from "../store/partial.ts";
import { hasBlob, putBlob, type Store } from "../store/store.ts";
import type { WantedBlob } from "./plan-fetch.ts";

export type FetchBlobDeps = {
  readonly store: Store;
  readonly http: Http;
  /** Bytes of this blob that are here, from 0 on; may go back when a download starts again. */
  readonly onBytes?: (doneBytes: number) => void;
  readonly retry?: Retry;
  readonly signal?: AbortSignal | undefined;
};
/** Failures in a row without a byte gained; the wait doubles with each. */
export type Retry = { readonly attempts: number; readonly backoffMs: number };

const defaultRetry: Retry = { attempts: 4, backoffMs: 400 };
/** Another process's download that has not grown for so long is not waited for. */
const BUSY_MS = 10_000;
const POLL_MS = 100;
/** The slowest line that we bear, beside the limit on silence that http.ts has. */
const MIN_BYTES_PER_SECOND = 20_000;

/**
 * Brings one blob into the store, from the first place that has it; resumes what an earlier process left. Throws
 * `alarm/DIGEST_MISMATCH`, `world/NETWORK`, `world/INPUT_NOT_FOUND`.
 */
export async function fetchBlob(wanted: WantedBlob, deps: FetchBlobDeps): Promise<void> {
  if (await arrivesElsewhere(wanted, deps)) return;
  let fault: unknown;
  for (const url of wanted.urls) {
    try {
      if (await fetchFrom(url, wanted, deps)) return;
    } catch (error) {
      if (!isPassedOver(error, wanted, deps)) throw error;
      fault ??= error;
    }
  }
  if (fault !== undefined) throw fault;
  throw new TwinsealError(
    "world",
    "INPUT_NOT_FOUND",
    `${wanted.label} is at none of ${wanted.urls.map(publicUrl).join(", ")}`,
    { hint: wanted.hint },
  );
}

/** Of the archives that a machine's apt uses, some want a password or are gone; that another has the package is as good. */
function isPassedOver(error: unknown, { from }: WantedBlob, { signal }: FetchBlobDeps): boolean {
  if (from !== "debianMirrors" || signal?.aborted === true || !(error instanceof TwinsealError)) return false;
  return error.code === "NETWORK" || error.code === "HTTP_STATUS";
}

/** Another process may be fetching the same: then its bytes are waited for, as long as they grow. */
async function arrivesElsewhere(wanted: WantedBlob, { store, signal }: FetchBlobDeps): Promise<boolean> {
  for (;;) {
    if (await hasBlob(store, wanted.sha256)) return true;
    const { busy } = await findPartials(store.root, wanted.sha256);
    if (!busy.some(({ changedAtMs }) => Date.now() - changedAtMs < BUSY_MS)) return hasBlob(store, wanted.sha256);
    await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal });
  }
}

type Outcome = "stored" | "absent" | "start again";

/** False when this place does not have it. */
async function fetchFrom(url: string, wanted: WantedBlob, deps: FetchBlobDeps): Promise<boolean> {
  const retry = deps.retry ?? defaultRetry;
  let haveBytes = 0;
  for (let failures = 0; ;) {
    try {
      const outcome = await attempt(url, wanted, deps);
      if (outcome !== "start again") return outcome === "stored";
    } catch (error) {
      const { resumable } = await findPartials(deps.store.root, wanted.sha256);
      failures = (resumable?.sizeBytes ?? 0) > haveBytes ? 1 : failures + 1;
      haveBytes = Math.max(haveBytes, resumable?.sizeBytes ?? 0);
      if (!isNetworkError(error) || failures >= retry.attempts || deps.signal?.aborted === true) throw error;
      await sleep(
        retry.backoffMs * 2 ** (failures - 1),
        undefined,
        deps.signal === undefined ? {} : { signal: deps.signal },
      );
    }
  }
}

async function attempt(url: string, wanted: WantedBlob, deps: FetchBlobDeps): Promise<Outcome> {
  const { store, http, signal } = deps;
  const partials = await findPartials(store.root, wanted.sha256);
  const { resumable } = partials;
  if (resumable !== undefined && resumable.sizeBytes > wanted.sizeBytes) {
    await removePartials(partials);
    return "start again";
  }
  const fromByte = resumable?.sizeBytes ?? 0;
  let body: AsyncIterable<Uint8Array> | undefined;
  let resumed = fromByte === wanted.sizeBytes;
  if (!resumed || fromByte === 0) {
    const timeoutMs = 60_000 + Math.ceil((wanted.sizeBytes / MIN_BYTES_PER_SECOND) * 1000);
    const response = await locked(wanted, () => http({ url, maxBytes: wanted.sizeBytes, timeoutMs, fromByte, signal }));
    resumed = fromByte > 0 && response.status === 206;
    if (response.status === 404 || response.status === 410) return "absent";
    if (response.status === 416 && fromByte > 0) {
      await removePartials(partials);
      return "start again";
    }
    if (response.status !== 200 && !resumed) throw statusError(url, response.status);
    body = response.body;
  }
  try {
    await locked(wanted, () =>
      putBlob(store, bytesOf(resumed ? resumable : undefined, body, deps.onBytes), wanted, {
        maxBytes: wanted.sizeBytes,
      }),
    );
  } catch (error) {
    // The first part may be of a power cut or of another server: only a whole download is evidence.
    if (!resumed || !(error instanceof TwinsealError) || error.code !== "DIGEST_MISMATCH") throw error;
    await removePartials(partials);
    return "start again";
  }
  if (partials.abandoned.length > 0) await removePartials(partials);
  return "stored";
}

async function* bytesOf(
  first: Partial | undefined,
  rest: AsyncIterable<Uint8Array> | undefined,
  onBytes: FetchBlobDeps["onBytes"],
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  const parts = [
    ...(first === undefined || first.sizeBytes === 0
      ? []
      : [createReadStream(first.path, { end: first.sizeBytes - 1, highWaterMark: 1 << 18 })]),
    ...(rest === undefined ? [] : [rest]),
  ];
  for (const part of parts) {
    for await (const chunk of part) {
      if (!(chunk instanceof Uint8Array)) throw new TypeError("expected bytes");
      doneBytes += chunk.length;
      onBytes?.(doneBytes);
      yield chunk;
    }
  }
}

/** Says of an alarm which input it is about; more bytes than the lock has is the same alarm. */
async function locked<T>(wanted: WantedBlob, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TwinsealError)) throw error;
    const tooLong = error.code === "HTTP_TOO_LARGE" || error.code === "BLOB_TOO_LARGE";
    if (!tooLong && error.code !== "DIGEST_MISMATCH") throw error;
    const what = tooLong
      ? `expected sha256 ${wanted.sha256}, and not more than ${wanted.sizeBytes} bytes`
      : error.message;
    throw new TwinsealError("alarm", "DIGEST_MISMATCH", `${wanted.label}: ${what}`, {
      hint: "what was served is not what the lock pins; nothing of it was kept",
      cause: error,
    });
  }
}

function statusError(url: string, status: number): TwinsealError {
  const transient = status >= 500 || status === 429 || status === 408;
  return new TwinsealError(
    "world",
    transient ? "NETWORK" : "HTTP_STATUS",
    `${publicUrl(url)}: the server answered ${status}`,
  );
}
