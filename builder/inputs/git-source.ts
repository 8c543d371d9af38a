import { createReadStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TwinsealError } from "../errors.ts";
import type { Blob, LockedSource } from "../recipe/lock.ts";
import { putBlob, type Store } from "../store/store.ts";
import { assertSafeEntries, unsafe } from "./archive-safety.ts";
import { checkOutTree, fetchTag, listTree, type GitEnv, type TagRepository, type Tagged } from "./git.ts";
import { treeOidOf } from "./git-tree.ts";
import { createTar } from "./tar.ts";

export type GitSourceDeps = {
  readonly store: Store;
  readonly gitEnv: GitEnv;
  /** Empty directory; removed by the caller. */
  readonly workDir: string;
};

export type LockedGit = Extract<LockedSource, { kind: "git" }>;
export type ResolvedTag = Tagged & { readonly archive: Blob };

const MAX_ARCHIVE_BYTES = 4 * 1024 ** 3;

/**
 * A tag as a repository has it now, and its tree as a canonical tar in the store: sorted, portable, zero times, so
 * that its digest depends on the tree alone. Throws `alarm/ARCHIVE_UNSAFE`, `caller/TAG_UNKNOWN`, `world/GIT_FAILED`.
 */
export async function resolveTag(from: string, tag: string, deps: GitSourceDeps): Promise<ResolvedTag> {
  const { workDir, gitEnv, store } = deps;
  const repository = await fetchTag(from, tag, workDir, gitEnv);
  const names = await safeNames(repository, gitEnv);
  const dir = join(workDir, "tree");
  await mkdir(dir);
  // In-tree attributes would convert line ends and expand keywords; the repository's own file outranks them.
  await mkdir(join(repository.gitDir, "info"), { recursive: true });
  await writeFile(join(repository.gitDir, "info/attributes"), "* -text -eol -ident -filter -working-tree-encoding\n");
  await checkOutTree(repository, dir, gitEnv);
  const tree = await treeOidOf(dir, repository.tree);
  if (tree !== repository.tree) {
    throw new TwinsealError(
      "alarm",
      "TREE_MISMATCH",
      `the files of ${tag} make the tree ${tree}, and the commit names ${repository.tree}`,
    );
  }
  const path = join(workDir, "tree.tar");
  await createTar(dir, names.toSorted(), path);
  const archive = await putBlob(store, createReadStream(path), undefined, { maxBytes: MAX_ARCHIVE_BYTES });
  const { oid, commit, commitTime } = repository;
  return { oid, commit, tree, commitTime, archive };
}

async function safeNames(repository: TagRepository, env: GitEnv): Promise<string[]> {
  const entries = await listTree(repository, env);
  const odd = entries.find(({ mode }) => mode === "160000");
  if (odd !== undefined) throw unsafe(odd.name, "is a submodule, which cannot be locked yet");
  const names = entries.map(({ name }) => name);
  assertSafeEntries(names);
  return names;
}

/**
 * Brings the archive of a locked git source into the store. Throws `alarm/TAG_MOVED` when the tag is another object
 * now, even one with the same files, and what `resolveTag` throws.
 */
export async function fetchGitArchive(source: LockedGit, deps: GitSourceDeps): Promise<void> {
  const found = await resolveTag(source.url, source.tag, deps);
  for (const key of ["oid", "commit", "tree"] as const) {
    if (found[key] !== source[key]) {
      throw new TwinsealError(
        "alarm",
        "TAG_MOVED",
        `${source.tag} of ${source.url} moved: its ${key} was ${source[key]} when it was locked and is ${found[key]} now`,
        {
          hint: "a published tag must never move: ask upstream why, before anything is built from it",
        },
      );
    }
  }
  if (found.archive.sha256 !== source.archive.sha256) {
    throw new TwinsealError(
      "alarm",
      "DIGEST_MISMATCH",
      `the archive of ${source.tag} has the sha256 ${found.archive.sha256}, and the lock says ${source.archive.sha256}`,
    );
  }
}
