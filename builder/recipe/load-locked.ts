import { TwinsealError } from "../errors.ts";
import type { FoundRecipe } from "./catalog.ts";
import { lintLock } from "./lint-lock.ts";
import { assertLockFits, loadLock } from "./load-lock.ts";
import { loadRecipe, loadedOfVersion, type LoadedRecipe } from "./load.ts";
import type { Lock } from "./lock.ts";

/** A recipe and the lock of one version that was made from it. */
export type Locked = { readonly loaded: LoadedRecipe; readonly lock: Lock };

/**
 * Reads both and refuses a lock that `pin` would not have written for this recipe: made from another one, for another
 * version than its name, or with another source, Go or file. Throws `caller/LOCK_STALE`, `caller/LOCK_INVALID`.
 */
export async function loadLocked(found: FoundRecipe): Promise<Locked> {
  const loaded = loadedOfVersion(await loadRecipe(found.recipePath), found.version);
  const lock = await loadLock(found.lockPath);
  assertLockFits(lock, loaded);
  const faults = lintLock({ lock, loaded }, found.lockPath)
    .filter(({ severity }) => severity === "error")
    .map(({ message }) => message);
  if (lock.version !== found.version) faults.unshift(`the lock is for version ${lock.version}`);
  if (faults.length === 0) return { loaded, lock };
  throw new TwinsealError("caller", "LOCK_INVALID", `${found.lockPath}: ${faults.join("; ")}`, {
    hint: `run twinseal pin ${lock.name}@${found.version}; locks are not edited`,
  });
}
