import { TwinsealError } from "../errors.ts";
import { resolveTag, type GitSourceDeps, type LockedGit } from "../inputs/git-source.ts";

export type GitPin = {
  readonly url: string;
  readonly tag: string;
  /** Where it is fetched from: a URL, or a directory. */
  readonly from: string;
  /** As the recipe names them. */
  readonly submodules?: readonly string[] | undefined;
};

/** Locks a git source as its tag stands now; the URL in the lock is the recipe's, wherever it was fetched from. */
export async function lockGitSource(
  pin: GitPin,
  deps: GitSourceDeps,
): Promise<{ source: LockedGit; sourceDateEpoch: number }> {
  if (pin.from.startsWith("-")) throw new TwinsealError("caller", "FROM_UNFIT", `--from ${pin.from} looks like a flag`);
  const { oid, commit, tree, archive, commitTime, submodules } = await resolveTag(
    pin.from,
    pin.tag,
    deps,
    pin.submodules,
  );
  return {
    source: {
      kind: "git",
      url: pin.url,
      tag: pin.tag,
      oid,
      commit,
      tree,
      archive,
      ...(pin.submodules === undefined ? {} : { submodules: [...submodules] }),
    },
    sourceDateEpoch: commitTime,
  };
}
