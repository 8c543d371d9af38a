import { parseDocument } from "yaml";
import { z } from "zod";
import { canonicalJson, canonicalJsonText } from "../canonical-json.ts";
import { sha256Of, type Sha256 } from "../digest.ts";
import { TwinsealError, messageOf } from "../errors.ts";
import { readTextFile, type LoadedRecipe } from "./load.ts";
import { lockSchema, type Lock } from "./lock.ts";

const MAX_LOCK_BYTES = 16 << 20;

/**
 * Reads a lock. Throws `caller/LOCK_UNREADABLE`, `caller/LOCK_INVALID` (JSON or schema, with the JSON path) and
 * `caller/LOCK_NOT_CANONICAL` (other bytes than `pin` writes for the same content, a duplicate key for one).
 */
export async function loadLock(path: string): Promise<Lock> {
  return parseLock(await readTextFile(path, MAX_LOCK_BYTES + 1, "LOCK_UNREADABLE"), path);
}

export function parseLock(text: string, path: string): Lock {
  if (Buffer.byteLength(text) > MAX_LOCK_BYTES) throw invalid(path, "it is larger than 16 MiB");
  const value = parseJson(text, path);
  const parsed = lockSchema.safeParse(value);
  if (!parsed.success)
    throw invalid(path, parsed.error.issues.map((issue) => `${jsonPath(issue.path)}: ${issueText(issue)}`).join("; "));
  const canonical = canonicalJsonText(value);
  if (canonical !== text) {
    throw new TwinsealError("caller", "LOCK_NOT_CANONICAL", `${path}:${difference(text, canonical)}`, {
      hint: "a lock is written by twinseal pin only; write it again, and read the difference",
    });
  }
  return parsed.data;
}

/** SHA-256 of the lock's canonical JSON: what runs, reports and statements name a lock by. */
export function lockDigest(lock: Lock): Sha256 {
  return sha256Of(canonicalJson(lock));
}

/** Throws `caller/LOCK_STALE` when the lock was made from another recipe than the one that lies there now. */
export function assertLockFits(lock: Lock, loaded: Pick<LoadedRecipe, "recipe" | "sha256" | "path">): void {
  const what = misfit(lock, loaded);
  if (what === undefined) return;
  throw new TwinsealError("caller", "LOCK_STALE", `${loaded.path}: ${what}`, {
    hint: `run twinseal pin ${loaded.recipe.name}@${lock.version}`,
  });
}

/** Why a lock does not belong to a recipe, or undefined. */
export function misfit(lock: Lock, loaded: Pick<LoadedRecipe, "recipe" | "sha256">): string | undefined {
  if (lock.name !== loaded.recipe.name) return `the lock is for ${lock.name}, the recipe for ${loaded.recipe.name}`;
  if (lock.recipe.sha256 !== loaded.sha256) return `the recipe has changed since version ${lock.version} was pinned`;
  return undefined;
}

function parseJson(text: string, path: string): z.infer<ReturnType<typeof z.json>> {
  try {
    return z.json().parse(JSON.parse(text));
  } catch (error) {
    throw invalid(path, `it is not JSON: ${messageOf(error)}`);
  }
}

function invalid(path: string, what: string): TwinsealError {
  return new TwinsealError("caller", "LOCK_INVALID", `${path}: ${what}`, {
    hint: "run twinseal pin, which writes locks; do not edit them",
  });
}

function issueText(issue: z.core.$ZodIssue): string {
  return issue.message.charAt(0).toLowerCase() + issue.message.slice(1);
}

/** `$.modules[3].zip.h1` */
function jsonPath(path: readonly PropertyKey[]): string {
  return `$${path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("")}`;
}

function difference(text: string, canonical: string): string {
  // JSON.parse keeps the last of two equal keys and says nothing; the YAML parser, which reads JSON too, does.
  const duplicate = parseDocument(text, { prettyErrors: false }).errors.find((error) => error.code === "DUPLICATE_KEY");
  if (duplicate !== undefined) return `${lineOf(text, duplicate.pos[0])}: this key is there twice`;
  let offset = 0;
  while (offset < canonical.length && text[offset] === canonical[offset]) offset++;
  return `${lineOf(text, offset)}: these are not the bytes that pin writes for this content`;
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
