import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sha256Schema } from "../digest.ts";
import { TwinsealError, messageOf, systemCodeOf } from "../errors.ts";
import type { Http } from "../http.ts";
import { adoptFile, assertExpected, diskFault, type Store } from "../store/store.ts";
import type { WantedBlob } from "./wanted.ts";

export type DownloadDeps = {
  readonly store: Store;
  readonly http: Http;
  readonly proxies: readonly string[];
  /** How many of the lock's inputs are in the store already, for the message. */
  readonly have: number;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal;
};

const TRIES = 4;
const STALL_MS = 60_000;

/**
 * Downloads one blob, verified while it streams, and gives it its name. What was received of it before an interruption
 * is kept as `tmp/<sha256>.partial` and continued. Throws `alarm/DIGEST_MISMATCH` for other bytes, `world/NETWORK`.
 */
export async function download(blob: Exclude<WantedBlob, { kind: "git" }>, deps: DownloadDeps): Promise<void> {
  const urls = blob.kind === "url" ? [blob.url] : deps.proxies.map((proxy) => `${proxy.replace(/\/$/, "")}/${blob.path}`);
  if (urls.length === 0) {
    throw new TwinsealError("world", "NO_PROXY", `no module proxy is known to fetch ${blob.label} from`, { hint: "set GOPROXY" });
  }
  let last: unknown;
  for (const url of urls) {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      if (attempt > 0) await sleep(250 * 4 ** (attempt - 1), undefined, { signal: deps.signal }).catch(() => {});
      if (deps.signal.aborted) throw new TwinsealError("world", "INTERRUPTED", "interrupted");
      const outcome = await tryDownload(url, blob, deps);
      if (outcome === "done") return;
      last = outcome.fault;
      if (!outcome.again) break;
    }
  }
  throw new TwinsealError("world", "NETWORK", `fetching ${blob.label}: ${messageOf(last)}`, {
    cause: last,
    hint: `${deps.have} inputs are in the store already; run twinseal fetch again, it resumes`,
  });
}

type Outcome = "done" | { readonly fault: unknown; readonly again: boolean };

async function tryDownload(url: string, blob: WantedBlob, deps: DownloadDeps): Promise<Outcome> {
  // Taken by renaming, so that two processes never write the same partial file.
  const kept = join(deps.store.root, "tmp", `${blob.sha256}.partial`);
  const mine = join(deps.store.root, "tmp", `${process.pid}-${randomUUID()}`);
  const resumed = await takePartial(kept, mine);
  let received = 0;
  try {
    const response = await deps.http({ url, maxBytes: blob.sizeBytes + 1, timeoutMs: STALL_MS, fromByte: resumed, signal: deps.signal });
    if (response.status !== 200 && response.status !== 206) {
      return { fault: new Error(`the server answered ${response.status}`), again: response.status >= 500 || response.status === 429 };
    }
    const append = response.status === 206 && resumed > 0;
    const hash = createHash("sha256");
    if (append) for await (const chunk of createReadStream(mine)) hash.update(chunk as Buffer);
    let sizeBytes = append ? resumed : 0;
    deps.onBytes(sizeBytes);
    received += sizeBytes;
    const file = await open(mine, append ? "a" : "w", 0o644);
    try {
      for await (const chunk of response.body) {
        sizeBytes += chunk.length;
        received += chunk.length;
        if (sizeBytes > blob.sizeBytes) break;
        hash.update(chunk);
        await file.write(chunk);
        deps.onBytes(chunk.length);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    const got = { sha256: sha256Schema.parse(hash.digest("hex")), sizeBytes };
    if (sizeBytes < blob.sizeBytes) throw new Error("the connection ended too early");
    if (append && got.sha256 !== blob.sha256) {
      await rm(mine, { force: true }); // what was kept may be at fault: once more from the start
      return { fault: new Error("the resumed file has other bytes"), again: true };
    }
    try {
      assertExpected(got, blob);
    } catch (error) {
      await rm(mine, { force: true });
      throw error;
    }
    await adoptFile(deps.store, mine, blob.sha256);
    return "done";
  } catch (error) {
    deps.onBytes(-received);
    const named = diskFault(error);
    if (named instanceof TwinsealError) throw named instanceof TwinsealError && named.kind === "alarm" ? labelled(named, blob) : named;
    return { fault: error, again: true };
  } finally {
    await rename(mine, kept).catch(() => {}); // nothing is left of a finished one
  }
}

function labelled(error: TwinsealError, blob: WantedBlob): TwinsealError {
  return new TwinsealError(error.kind, error.code, `fetching ${blob.label}: ${error.message}`, { cause: error, ...(error.hint === undefined ? {} : { hint: error.hint }) });
}

async function takePartial(kept: string, mine: string): Promise<number> {
  try {
    await rename(kept, mine);
    return (await stat(mine)).size;
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return 0;
    throw error;
  }
}
