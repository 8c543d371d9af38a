import { runProcess, type ProcessResult } from "../process.ts";

/** What git knows of the directory that one stands in. */
export type GitFacts = {
  /** URL of `origin`, without credentials, in its https spelling where there is one. */
  readonly url: string | undefined;
  readonly tags: readonly string[];
  /** The directory inside the repository; `.` at its root. */
  readonly dir: string;
};

const TIMEOUT_MS = 10_000;

/** Undefined where git is missing, refuses, or the directory is in no repository: `init` works without it. */
export async function readGitFacts(
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<GitFacts | undefined> {
  const git = (...args: string[]) => askGit(args, cwd, env);
  const prefix = await git("rev-parse", "--show-prefix");
  if (prefix?.code !== 0) return undefined;
  const [tags, origin] = [await git("tag", "--list"), await git("remote", "get-url", "origin")];
  return {
    url: origin?.code === 0 ? publicUrl(origin.stdout.trim()) : undefined,
    tags: tags?.code === 0 ? tags.stdout.split("\n").filter((tag) => tag !== "") : [],
    dir: prefix.stdout.trim().replace(/\/$/, "") || ".",
  };
}

/** `git@host:owner/repo.git` and `https://token@host/owner/repo.git` as `https://host/owner/repo`: a recipe is for everybody. */
export function publicUrl(url: string): string | undefined {
  const short = /^(?:[\w.-]+@)?([\w.-]+\.[\w-]+):(?!\/)(\S+)$/.exec(url);
  const written = short === null ? url : `https://${short[1]}/${short[2]}`;
  if (!URL.canParse(written)) return undefined;
  const parsed = new URL(written);
  if (!["https:", "http:", "ssh:", "git:"].includes(parsed.protocol)) return undefined;
  const protocol = parsed.protocol === "ssh:" ? "https:" : parsed.protocol;
  const host = parsed.protocol === "ssh:" ? parsed.hostname : parsed.host;
  return `${protocol}//${host}${parsed.pathname.replace(/\.git$/, "").replace(/\/+$/, "")}`;
}

async function askGit(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ProcessResult | undefined> {
  try {
    return await runProcess(["git", "-c", "core.fsmonitor=false", ...args], {
      cwd,
      env: { PATH: env["PATH"] ?? "", HOME: env["HOME"] ?? "/", LC_ALL: "C", GIT_TERMINAL_PROMPT: "0" },
      timeoutMs: TIMEOUT_MS,
    });
  } catch {
    return undefined; // no git, or one that hangs
  }
}
