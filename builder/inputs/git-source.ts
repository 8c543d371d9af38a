import { createReadStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { TwinsealError } from "../errors.ts";
import type { Blob, LockedSource } from "../recipe/lock.ts";
import { putBlob, type Store } from "../store/store.ts";
import { assertSafeEntries } from "./archive-safety.ts";
import {
  checkOutTree,
  fetchCommit,
  fetchTag,
  listTree,
  type CommitRepository,
  type GitEnv,
  type Tagged,
} from "./git.ts";
import { submodulesOf } from "./git-submodules.ts";
import { treeOidOf } from "./git-tree.ts";
import { createTar } from "./tar.ts";

export type GitSourceDeps = {
  readonly store: Store;
  readonly gitEnv: GitEnv;
  /** Empty directory; removed by the caller. */
  readonly workDir: string;
};

export type LockedGit = Extract<LockedSource, { kind: "git" }>;
export type LockedSubmodule = NonNullable<LockedGit["submodules"]>[number];
export type ResolvedTag = Tagged & { readonly archive: Blob; readonly submodules: readonly LockedSubmodule[] };

const MAX_ARCHIVE_BYTES = 4 * 1024 ** 3;

/**
 * A tag as a repository has it now, and its tree as a canonical tar in the store: sorted, portable, zero times, so
 * that its digest depends on the trees alone. `submodules` are the paths of those that belong to it; absent, a tree with
 * any is refused. Throws `alarm/ARCHIVE_UNSAFE`, `caller/TAG_UNKNOWN`, `caller/SUBMODULE_UNDECIDED`,
 * `caller/SUBMODULE_UNKNOWN`, `world/GIT_FAILED`.
 */
export async function resolveTag(
  from: string,
  tag: string,
  deps: GitSourceDeps,
  submodules?: readonly string[],
): Promise<ResolvedTag> {
  const { workDir, gitEnv, store } = deps;
  const repository = await fetchTag(from, tag, workDir, gitEnv);
  const dir = join(workDir, "tree");
  const found: Found = { names: [], submodules: [] };
  await takeTree({ repository, from, dir, prefix: "" }, submodules, found, deps);
  const missing = submodules?.find((path) => !found.submodules.some((one) => one.path === path));
  if (missing !== undefined)
    throw new TwinsealError("caller", "SUBMODULE_UNKNOWN", `${tag} has no submodule ${missing}`, {
      hint: "write the paths as .gitmodules has them, those of an inner repository below the outer path",
    });
  assertSafeEntries(found.names);
  const path = join(workDir, "tree.tar");
  await createTar(dir, found.names.toSorted(), path);
  const archive = await putBlob(store, createReadStream(path), undefined, { maxBytes: MAX_ARCHIVE_BYTES });
  const { oid, commit, commitTime, tree } = repository;
  return { oid, commit, tree, commitTime, archive, submodules: found.submodules };
}

type Found = { readonly names: string[]; readonly submodules: LockedSubmodule[] };
type Place = {
  readonly repository: CommitRepository;
  readonly from: string;
  readonly dir: string;
  /** Of its files below the source's root, with a slash behind. */
  readonly prefix: string;
};

/** Writes a commit's files, those of its wanted submodules too, each proven to be the tree that its commit names. */
async function takeTree(
  { repository, from, dir, prefix }: Place,
  wanted: readonly string[] | undefined,
  found: Found,
  deps: GitSourceDeps,
): Promise<void> {
  const entries = await listTree(repository, deps.gitEnv);
  const links = entries.filter(({ mode }) => mode === "160000");
  const names = entries.filter(({ mode }) => mode !== "160000").map(({ name }) => name);
  assertSafeEntries([...names, ...links.map(({ name }) => name)]);
  if (links[0] !== undefined && wanted === undefined)
    throw new TwinsealError("caller", "SUBMODULE_UNDECIDED", `${prefix}${links[0].name} is a submodule`, {
      hint: `write into the recipe's source which ones belong to it: submodules: [${links.map(({ name }) => prefix + name).join(", ")}], or [] for none`,
    });
  await mkdir(dir, { recursive: true });
  await checkOut(repository, dir, deps.gitEnv);
  for (const { name } of links) await mkdir(join(dir, name), { recursive: true });
  const tree = await treeOidOf(dir, repository.tree, new Map(links.map(({ name, oid }) => [name, oid])));
  if (tree !== repository.tree)
    throw new TwinsealError(
      "alarm",
      "TREE_MISMATCH",
      `the files of ${repository.commit} make the tree ${tree}, and it names ${repository.tree}`,
    );
  found.names.push(...names.map((name) => prefix + name));
  const taken = links.filter(({ name }) => wanted?.includes(prefix + name));
  for (const { path, url, commit } of await submodulesOf(repository, from, taken, deps.gitEnv)) {
    const inner = await fetchCommit(
      url,
      commit,
      join(deps.workDir, `git-${commit}-${found.submodules.length}`),
      deps.gitEnv,
    );
    found.submodules.push({ path: prefix + path, commit, tree: inner.tree });
    await takeTree(
      { repository: inner, from: url, dir: join(dir, path), prefix: `${prefix}${path}/` },
      wanted,
      found,
      deps,
    );
  }
}

async function checkOut(repository: CommitRepository, dir: string, env: GitEnv): Promise<void> {
  // In-tree attributes would convert line ends and expand keywords; the repository's own file outranks them.
  await mkdir(join(repository.gitDir, "info"), { recursive: true });
  await writeFile(join(repository.gitDir, "info/attributes"), "* -text -eol -ident -filter -working-tree-encoding\n");
  await checkOutTree(repository, dir, env);
}

/**
 * Brings the archive of a locked git source into the store. Throws `alarm/TAG_MOVED` when the tag is another object
 * now, even one with the same files, `alarm/SUBMODULE_CHANGED`, and what `resolveTag` throws.
 */
export async function fetchGitArchive(source: LockedGit, deps: GitSourceDeps): Promise<void> {
  const wanted = source.submodules?.map(({ path }) => path);
  const found = await resolveTag(source.url, source.tag, deps, wanted);
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
  // The outer tree names their commits: what differs here was edited into the lock.
  if (!isDeepStrictEqual(found.submodules, source.submodules ?? []))
    throw new TwinsealError("alarm", "SUBMODULE_CHANGED", `the submodules of ${source.tag} are not those of the lock`, {
      hint: "somebody edited the lock: look at its history; twinseal pin writes it anew",
    });
  if (found.archive.sha256 !== source.archive.sha256) {
    throw new TwinsealError(
      "alarm",
      "DIGEST_MISMATCH",
      `the archive of ${source.tag} has the sha256 ${found.archive.sha256}, and the lock says ${source.archive.sha256}`,
    );
  }
}
