import { randomUUID } from "node:crypto";
import { TwinsealError } from "../errors.ts";
import { isNetworkError, type Http } from "../http.ts";
import type { Host } from "../platform.ts";
import type { Lock } from "../recipe/lock.ts";
import { blobSize, storeDamaged, setAside, blobPath, type Store } from "../store/store.ts";
import { openWorkspace } from "../workspace.ts";
import { compilerHttp, takeCompiler, withoutMade } from "./fetch-compiler.ts";
import { fetchBlob, type Retry } from "./fetch-blob.ts";
import type { GitEnv } from "./git.ts";
import type { RegistryAuth } from "./oci-registry.ts";
import { nowhere, planFetch, type Places, type WantedBlob } from "./plan-fetch.ts";

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
  /** Asked for only when a module or a toolchain is missing. */
  readonly proxies: () => Promise<readonly string[]>;
  /** Asked for only when a Debian package is missing. */
  readonly debianMirrors: () => Promise<readonly string[]>;
  readonly host: Host;
  readonly offline: boolean;
  readonly gitEnv: GitEnv;
  /** Passwords for the registry of the compiler's image; anonymous if absent. */
  readonly registryAuth?: RegistryAuth | undefined;
  /** An OCI layout or a `docker save` file to take the compiler's image from. */
  readonly imageFrom?: string | undefined;
  readonly onProgress?: (progress: FetchProgress) => void;
  readonly retry?: Retry;
  readonly signal?: AbortSignal | undefined;
};

const PARALLEL = 16;

/** What bringing blobs needs. */
export type FetchBlobsDeps = Pick<FetchDeps, "store" | "http" | "onProgress" | "retry" | "signal">;

/**
 * Brings everything that a lock names for this host into the store; what is there is only looked at, since every use
 * digests it again. Throws `world/OFFLINE_MISSING`, `caller/PROXY_UNSET`, `caller/MIRROR_UNSET`, `alarm/STORE_DAMAGED`, and what fetching throws.
 */
export async function fetchInputs(given: Lock, deps: FetchDeps): Promise<void> {
  if (deps.imageFrom !== undefined) await takeCompiler(given, deps.imageFrom, deps.store);
  const lock = await withoutMade(given, deps.store);
  const needed = planFetch(lock, deps.host, nowhere);
  const lacking = await findMissing(needed, deps.store);
  if (lacking.length === 0) return;
  const situation = describe(needed, lacking);
  if (deps.offline) {
    throw new TwinsealError("world", "OFFLINE_MISSING", `offline, and the store lacks ${situation}`, {
      hint: "run twinseal fetch where there is a network",
    });
  }
  const lacks = (from: keyof Places) => lacking.some((blob) => blob.from === from);
  const wanted = planFetch(lock, deps.host, {
    proxies: lacks("proxies") ? await deps.proxies() : [],
    debianMirrors: lacks("debianMirrors") ? await deps.debianMirrors() : [],
  });
  const missing = await findMissing(wanted, deps.store);
  const { source } = lock;
  const ofGit = source.kind === "git" ? source.archive.sha256 : undefined;
  const byUrl = missing.filter(({ sha256 }) => sha256 !== ofGit);
  assertPlaces(byUrl);
  try {
    await fetchBlobs(byUrl, wanted.length - missing.length, { ...deps, http: await compilerHttp(lock, deps) });
    if (source.kind === "git" && byUrl.length < missing.length) {
      const { fetchGitArchive } = await import("./git-source.ts");
      await using workspace = await openWorkspace(deps.store.root, process.pid, randomUUID());
      await fetchGitArchive(source, { store: deps.store, gitEnv: deps.gitEnv, workDir: workspace.dir });
    }
  } catch (error) {
    if (!isNetworkError(error) || !(error instanceof TwinsealError)) throw error;
    throw new TwinsealError("world", "NETWORK", `${error.message}; wanted were ${situation}`, {
      hint: "check the network, GOPROXY and TWINSEAL_DEBIAN_MIRROR; twinseal fetch resumes where this stopped",
      cause: error,
    });
  }
}

async function findMissing(wanted: readonly WantedBlob[], store: Store): Promise<readonly WantedBlob[]> {
  const sizes = await Promise.all(wanted.map(({ sha256 }) => blobSize(store, sha256)));
  const broken = wanted.find((blob, index) => sizes[index] !== undefined && sizes[index] !== blob.sizeBytes);
  if (broken !== undefined) {
    const movedTo = await setAside(store, blobPath(store, broken.sha256));
    throw storeDamaged(
      `entry ${broken.sha256} (${broken.label}) has not the locked ${broken.sizeBytes} bytes`,
      movedTo,
    );
  }
  return wanted.filter((_, index) => sizes[index] === undefined);
}

/** `12 files, 34.5 MB (Go 1.25.7.linux-amd64, …); 168 of 180 are already there`. */
function describe(wanted: readonly WantedBlob[], missing: readonly WantedBlob[]): string {
  const names = missing.slice(0, 5).map(({ label }) => label);
  const more = missing.length > names.length ? `, and ${missing.length - names.length} more` : "";
  const megabytes = (missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / 1e6).toFixed(1);
  const files = missing.length === 1 ? "1 file" : `${missing.length} files`;
  return `${files}, ${megabytes} MB (${names.join(", ")}${more}); ${wanted.length - missing.length} of ${wanted.length} are already in the store`;
}

/**
 * Throws `caller/PROXY_UNSET` or `caller/MIRROR_UNSET` for the first that has no place to come from.
 */
export function assertPlaces(wanted: readonly WantedBlob[]): void {
  const lost = wanted.find(({ urls }) => urls.length === 0);
  if (lost === undefined) return;
  if (lost.from === "debianMirrors") {
    throw new TwinsealError("caller", "MIRROR_UNSET", `no Debian mirror is known to fetch ${lost.label} from`, {
      hint: "set TWINSEAL_DEBIAN_MIRROR, for example to https://<a mirror>/debian; it need not be trusted. This machine's apt has no source that could be one",
    });
  }
  throw new TwinsealError("caller", "PROXY_UNSET", `no module proxy is known to fetch ${lost.label} from`, {
    hint: "set GOPROXY to the URL of a Go module proxy; it need not be trusted. No Go is installed that would name one, and Go's own download page could not be read",
  });
}

/** Brings blobs that the store lacks, several at a time; `present` more count as done from the start. */
export async function fetchBlobs(missing: readonly WantedBlob[], present: number, deps: FetchBlobsDeps): Promise<void> {
  const stop = new AbortController();
  const signal = deps.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, deps.signal]);
  const tell = createTally(missing, present, deps.onProgress);
  const queue = missing.values();
  let fault: { readonly error: unknown } | undefined;
  const work = async () => {
    // All workers take from the one iterator.
    for (const blob of queue) {
      if (signal.aborted) return;
      try {
        const { store, http, retry } = deps;
        await fetchBlob(blob, {
          store,
          http,
          signal,
          onBytes: (bytes) => tell.bytes(blob, bytes),
          ...(retry === undefined ? {} : { retry }),
        });
        tell.done(blob);
      } catch (error) {
        fault ??= { error };
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, missing.length) }, work));
  if (deps.signal?.aborted === true)
    throw new TwinsealError("world", "STOPPED", "fetching was stopped", { hint: "twinseal fetch resumes it" });
  if (fault !== undefined) throw fault.error;
}

type Tally = {
  readonly bytes: (blob: WantedBlob, doneBytes: number) => void;
  readonly done: (blob: WantedBlob) => void;
};

function createTally(missing: readonly WantedBlob[], present: number, onProgress: FetchDeps["onProgress"]): Tally {
  const totalBytes = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const totalFiles = present + missing.length;
  const here = new Map<WantedBlob, number>();
  let doneBytes = 0;
  let doneFiles = present;
  const bytes = (blob: WantedBlob, now: number) => {
    doneBytes += now - (here.get(blob) ?? 0);
    here.set(blob, now);
    onProgress?.({ label: blob.label, doneBytes, totalBytes, doneFiles, totalFiles });
  };
  return {
    bytes,
    done: (blob) => {
      doneFiles++;
      bytes(blob, blob.sizeBytes);
    },
  };
}
