import { TwinsealError } from "../errors.ts";
import { readConfigFile, type CommitRepository, type GitEnv, type TreeEntry } from "./git.ts";

/** A submodule of one commit: where it lies, where it is fetched from, and the commit that the outer tree names. */
export type Submodule = { readonly path: string; readonly url: string; readonly commit: string };

/**
 * What .gitmodules says of the given entries of a commit (gitmodules(5)). The URL is trusted as little as every other place
 * to fetch from: the outer tree names the commit. Throws `caller/SUBMODULE_UNKNOWN`, `caller/SUBMODULE_URL`.
 */
export async function submodulesOf(
  repository: CommitRepository,
  from: string,
  links: readonly TreeEntry[],
  env: GitEnv,
): Promise<readonly Submodule[]> {
  if (links.length === 0) return [];
  const config = await readConfigFile(repository, ".gitmodules", env);
  return links.map(({ name, oid }) => {
    const key = [...config].find(([key, value]) => /^submodule\..+\.path$/.test(key) && value === name)?.[0];
    const url = config.get(key?.replace(/path$/, "url") ?? "");
    if (url === undefined)
      throw new TwinsealError("caller", "SUBMODULE_UNKNOWN", `.gitmodules says not where ${name} comes from`, {
        hint: "leave it out of the recipe's submodules, or tell upstream",
      });
    return { path: name, url: submoduleUrl(url, from), commit: oid };
  });
}

/**
 * An absolute URL as it stands; one that begins with ./ or ../ is taken relative to the outer repository, as git does.
 * Anything else would be a path of this machine, which a repository has no business to name.
 */
export function submoduleUrl(url: string, outer: string): string {
  if (/^(https?|ssh|git):\/\/[^-]/.test(url) || /^[\w.][\w.-]*@[\w.-]+:/.test(url)) return url;
  if (!/^\.\.?\//.test(url))
    throw new TwinsealError(
      "caller",
      "SUBMODULE_URL",
      `.gitmodules names ${JSON.stringify(url)} as a place to fetch from`,
      {
        hint: "only URLs and paths that begin with ./ or ../ are followed; git's own setting insteadOf may name another place",
      },
    );
  let base = `${outer.replace(/\/+$/, "")}/`;
  let rest = url;
  for (;;) {
    if (rest.startsWith("./")) rest = rest.slice(2);
    else if (rest.startsWith("../")) {
      rest = rest.slice(3);
      base = parentOf(base) ?? outOf(url, outer);
    } else return `${base}${rest}`;
  }
}

/** `a/b/` is in `a/`, and `git@host:b/` in `git@host:`; a host, or a root, is in nothing. */
function parentOf(base: string): string | undefined {
  return /^(.*[^/][/:])[^/:]+\/$/.exec(base)?.[1] ?? /^(\/)[^/]+\/$/.exec(base)?.[1];
}

function outOf(url: string, outer: string): never {
  throw new TwinsealError("caller", "SUBMODULE_URL", `${JSON.stringify(url)} leads out of ${outer}`);
}
