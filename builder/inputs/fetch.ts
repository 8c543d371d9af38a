import { TwinsealError } from "../errors.ts";
import type { Http } from "../http.ts";
import type { Host } from "../platform.ts";
import type { Lock } from "../recipe/lock.ts";
import { hasBlob, type Store } from "../store/store.ts";
import { download } from "./download.ts";
import { fetchGitArchive } from "./git-source.ts";
import { wantedBlobs, type WantedBlob } from "./wanted.ts";

export type FetchProgress = {
  readonly label: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly doneFiles: number;
  readonly totalFiles: number;
};

export type FetchDeps = {
  readonly store: Store;
  readonly http: Http;
  readonly proxies: readonly string[];
  readonly host: Host;
  readonly offline: boolean;
  readonly onProgress?: (progress: FetchProgress) => void;
  readonly signal?: AbortSignal;
};

const PARALLEL = 16;

/** Brings every input of a lock that the store lacks into it. The only step with network. */
export async function fetchInputs(lock: Lock, deps: FetchDeps): Promise<void> {
  const wanted = wantedBlobs(lock, deps.host);
  const missing: WantedBlob[] = [];
  for (const blob of wanted) if (!(await hasBlob(deps.store, blob.sha256))) missing.push(blob);
  if (missing.length === 0) return;
  if (deps.offline) throw offlineMissing(missing, wanted.length);
  await fetchAll(missing, wanted.length, lock, deps);
}

async function fetchAll(missing: readonly WantedBlob[], wantedCount: number, lock: Lock, deps: FetchDeps): Promise<void> {
  const totalBytes = missing.reduce((sum, blob) => sum + blob.sizeBytes, 0);
  let doneBytes = 0;
  let doneFiles = 0;
  const stop = new AbortController();
  const signal = deps.signal === undefined ? stop.signal : AbortSignal.any([deps.signal, stop.signal]);
  const tell = (label: string) => deps.onProgress?.({ label, doneBytes, totalBytes, doneFiles, totalFiles: missing.length });
  // The largest first: the last download should not be the longest.
  const queue = missing.toSorted((a, b) => b.sizeBytes - a.sizeBytes);
  const work = async () => {
    for (let blob = queue.shift(); blob !== undefined; blob = queue.shift()) {
      const { label } = blob;
      if (blob.kind === "git") {
        if (lock.source.kind === "git") await fetchGitArchive(lock.source, { store: deps.store, signal });
        doneBytes += blob.sizeBytes;
      } else {
        await download(blob, { ...deps, signal, have: wantedCount - missing.length, onBytes: (count) => {
          doneBytes += count;
          tell(label);
        } });
      }
      doneFiles += 1;
      tell(label);
    }
  };
  const results = await Promise.allSettled(
    Array.from({ length: PARALLEL }, () => work().catch((error: unknown) => {
      stop.abort();
      throw error;
    })),
  );
  const faults = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  if (faults.length > 0) throw worst(faults);
}

/** An alarm is never hidden by the network's failure beside it. */
function worst(faults: readonly unknown[]): unknown {
  const ours = faults.filter((fault) => fault instanceof TwinsealError);
  return ours.find((fault) => fault.kind === "alarm") ?? ours.find((fault) => fault.code !== "INTERRUPTED") ?? faults[0];
}

function offlineMissing(missing: readonly WantedBlob[], total: number): TwinsealError {
  const named = missing.slice(0, 5).map((blob) => blob.label).join(", ");
  const more = missing.length > 5 ? ` and ${missing.length - 5} more` : "";
  return new TwinsealError("world", "OFFLINE_MISSING", `offline, and the store has ${total - missing.length} of ${total} inputs; it lacks ${named}${more}`, {
    hint: "run twinseal fetch where there is a network; it resumes",
  });
}
