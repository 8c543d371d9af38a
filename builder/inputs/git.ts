import { join } from "node:path";
import { TwinsealError } from "../errors.ts";
import { runProcess, type ProcessResult } from "../process.ts";

/** What `git` is given of the caller's environment: where it finds itself, its settings and the way to the network. */
export type GitEnv = Readonly<Record<string, string>>;

const passed = [
  "PATH",
  "HOME",
  "XDG_CONFIG_HOME",
  "SSH_AUTH_SOCK",
  "SSL_CERT_FILE",
  "GIT_SSL_CAINFO",
  "http_proxy",
  "https_proxy",
  "all_proxy",
  "no_proxy",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "ALL_PROXY",
  "NO_PROXY",
] as const;

/** Pure: the allowed part of an environment. A user's own git settings count, so `insteadOf` may name a mirror. */
export function gitEnvOf(env: Readonly<Record<string, string | undefined>>): GitEnv {
  return Object.fromEntries(passed.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

export type Tagged = {
  /** The tag object, or the commit of a lightweight tag. */
  readonly oid: string;
  readonly commit: string;
  readonly tree: string;
  /** Unix seconds. */
  readonly commitTime: number;
};

/** A bare repository of our own that holds one commit of some other, without its history. */
export type CommitRepository = Pick<Tagged, "commit" | "tree"> & { readonly gitDir: string };
export type TagRepository = Tagged & CommitRepository;

const TIMEOUT_MS = 15 * 60_000;

/** Settings that a repository or a user must not be able to change: no hook, no helper program of the server's choice. */
const fixed = [
  "-c",
  "core.hooksPath=/dev/null",
  "-c",
  "gc.auto=0",
  "-c",
  "maintenance.auto=false",
  "-c",
  "transfer.fsckObjects=true",
  "-c",
  "core.protectHFS=true",
  "-c",
  "core.protectNTFS=true",
  "-c",
  "core.symlinks=true",
  "-c",
  "core.autocrlf=false",
  "-c",
  "protocol.ext.allow=never",
  "-c",
  "submodule.recurse=false",
] as const;

/**
 * Fetches one tag, without history, into `<workDir>/git`; git digests every object that arrives. Throws
 * `caller/TAG_UNKNOWN`, `world/GIT_FAILED`, `world/GIT_MISSING`.
 */
export async function fetchTag(from: string, tag: string, workDir: string, env: GitEnv): Promise<TagRepository> {
  const gitDir = join(workDir, "git");
  const ref = `refs/tags/${tag}`;
  const listed = await git(["ls-remote", "--exit-code", "--", from, ref], undefined, env);
  if (listed.code === 2) {
    throw new TwinsealError("caller", "TAG_UNKNOWN", `${from} has no tag ${tag}`, {
      hint: "is the version published, and the recipe's `tag` the way this project names its tags?",
    });
  }
  mustSucceed(listed, `asking ${from} for ${tag}`);
  await makeRepository(gitDir, env);
  const fetch = [...fetchArgs, "--depth=1", "--", from, `${ref}:${ref}`];
  mustSucceed(await git(fetch, gitDir, env), `fetching ${tag} from ${from}`);
  const ask = async (...args: string[]) => mustSucceed(await git(args, gitDir, env), `reading ${tag}`).stdout.trim();
  const commit = await ask("rev-parse", "--verify", `${ref}^{commit}`);
  return {
    gitDir,
    commit,
    oid: await ask("rev-parse", "--verify", ref),
    tree: await ask("rev-parse", "--verify", `${commit}^{tree}`),
    commitTime: Number(await ask("show", "--no-patch", "--format=%ct", commit)),
  };
}

const fetchArgs = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"] as const;

/**
 * Fetches one commit by its id into `gitDir`: alone where the server gives out a commit that no ref names, else with
 * everything that its refs name. Throws `world/GIT_FAILED`, `world/GIT_MISSING`.
 */
export async function fetchCommit(
  from: string,
  commit: string,
  gitDir: string,
  env: GitEnv,
): Promise<CommitRepository> {
  await makeRepository(gitDir, env);
  const alone = await git([...fetchArgs, "--depth=1", "--", from, `${commit}:refs/heads/pinned`], gitDir, env);
  if (alone.code !== 0) {
    const all = ["+refs/heads/*:refs/heads/all/*", "+refs/tags/*:refs/tags/*"];
    mustSucceed(await git([...fetchArgs, "--", from, ...all], gitDir, env), `fetching ${from}`);
  }
  const tree = await git(["rev-parse", "--verify", `${commit}^{tree}`], gitDir, env);
  return { gitDir, commit, tree: mustSucceed(tree, `looking for ${commit} in ${from}`).stdout.trim() };
}

async function makeRepository(gitDir: string, env: GitEnv): Promise<void> {
  mustSucceed(await git(["init", "--quiet", "--bare", "--template=", gitDir], undefined, env), "making a repository");
}

/** The settings in a file of the tree, by key; of a key that is there twice the last. */
export async function readConfigFile(
  repository: CommitRepository,
  name: string,
  env: GitEnv,
): Promise<ReadonlyMap<string, string>> {
  const asked = ["config", "--blob", `${repository.tree}:${name}`, "--null", "--list"];
  const listed = mustSucceed(await git(asked, repository.gitDir, env), `reading ${name}`);
  return new Map(
    listed.stdout
      .split("\0")
      .filter((line) => line !== "")
      .map((line) => {
        const end = line.indexOf("\n");
        return end < 0 ? [line, ""] : [line.slice(0, end), line.slice(end + 1)];
      }),
  );
}

export type TreeEntry = { readonly mode: string; readonly oid: string; readonly name: string };

/** Every file of a tree, in git's order. */
export async function listTree(repository: CommitRepository, env: GitEnv): Promise<readonly TreeEntry[]> {
  const listed = await git(["ls-tree", "-r", "-z", "--full-tree", repository.tree], repository.gitDir, env);
  return mustSucceed(listed, "listing the tree")
    .stdout.split("\0")
    .filter((line) => line !== "")
    .map((line) => {
      const [, mode, oid, name] = /^(\d{6}) \w+ ([0-9a-f]+)\t(.+)$/s.exec(line) ?? [];
      if (mode === undefined || oid === undefined || name === undefined) {
        throw new TwinsealError("world", "GIT_FAILED", `git ls-tree printed ${JSON.stringify(line)}`);
      }
      return { mode, oid, name };
    });
}

/** Writes a tree's files below an empty directory; the caller proves what came of it. */
export async function checkOutTree(repository: CommitRepository, dir: string, env: GitEnv): Promise<void> {
  const indexed = { ...env, GIT_INDEX_FILE: join(repository.gitDir, "twinseal-index") };
  mustSucceed(await git(["read-tree", repository.tree], repository.gitDir, indexed), "reading the tree");
  const checkout = ["--work-tree", dir, "checkout-index", "--all", "--quiet"];
  mustSucceed(await git(checkout, repository.gitDir, indexed), "writing the tree");
}

async function git(args: readonly string[], gitDir: string | undefined, env: GitEnv): Promise<ProcessResult> {
  const place = gitDir === undefined ? [] : [`--git-dir=${gitDir}`];
  try {
    return await runProcess(["git", ...fixed, ...place, ...args], {
      cwd: "/",
      env: {
        ...env,
        LC_ALL: "C",
        GIT_TERMINAL_PROMPT: "0",
        GIT_ASKPASS: "true",
        GIT_SSH_COMMAND: "ssh -oBatchMode=yes",
        GIT_ALLOW_PROTOCOL: "https:http:ssh:git:file",
        GIT_NO_REPLACE_OBJECTS: "1",
        GIT_ATTR_NOSYSTEM: "1",
      },
      timeoutMs: TIMEOUT_MS,
    });
  } catch (error) {
    if (!(error instanceof TwinsealError) || error.code !== "PROCESS_NOT_STARTED") throw error;
    throw new TwinsealError("world", "GIT_MISSING", "git is not installed, and this source is a git repository", {
      hint: "install git",
      cause: error,
    });
  }
}

function mustSucceed(result: ProcessResult, what: string): ProcessResult {
  if (result.code === 0) return result;
  const said =
    result.stderr
      .trim()
      .split("\n")
      .findLast((line) => line !== "") ?? `git ended with ${result.code ?? result.signal}`;
  throw new TwinsealError("world", "GIT_FAILED", `${what}: ${said}`, {
    hint: "check the network and the repository's URL; git's own settings (insteadOf) may name a mirror",
  });
}
