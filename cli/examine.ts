import { statfs } from "node:fs/promises";
import { availableParallelism, freemem, release } from "node:os";
import { dirname } from "node:path";
import { messageOf, systemCodeOf } from "../builder/errors.ts";
import { hostSchema } from "../builder/platform.ts";
import { runProcess } from "../builder/process.ts";
import { toolPath, toolVersion, trySudo, tryUserNamespaces } from "../builder/sandbox/preflight.ts";
import type { CliDeps } from "./deps.ts";
import { examineClockShift, examineTimeNamespace, helperProgram } from "./examine-clocks.ts";
import { examineEngines } from "./examine-engines.ts";

/** One line of `doctor`; `limited` means that a build works, with less. */
export type Finding = {
  readonly id: string;
  readonly what: string;
  readonly state: "yes" | "limited" | "no";
  readonly reason: string;
  readonly fix?: string;
};

type ExamineDeps = Pick<CliDeps, "arch" | "uid" | "storeRoot" | "helperDir" | "env" | "knownProxies">;

/** Tries everything a build needs for real. Never throws: what cannot be tried is a finding. */
export async function examine(deps: ExamineDeps): Promise<readonly Finding[]> {
  const platform = examinePlatform(deps.arch);
  if (platform.state === "no") return [platform, examineNode()];
  const program = await helperProgram(deps.helperDir);
  const [tools, namespaces, engines, ...others] = await Promise.all([
    examineTools(),
    examineNamespaces(deps.uid),
    examineEngines(deps, program),
    examineClockShift(deps.arch, program),
    examineTimeNamespace(),
    examineStore(deps.storeRoot),
    examineProxies(deps),
    examineGit(),
  ]);
  const sandboxes = orAnEngine([...tools, ...namespaces], engines);
  return [platform, examineNode(), ...sandboxes, ...engines, examineMemory(), ...others];
}

/** Where an engine can make the sandboxes, what namespaces lack keeps nobody from building. */
function orAnEngine(findings: readonly Finding[], engines: readonly Finding[]): readonly Finding[] {
  const engine = engines.find(({ state }) => state === "yes");
  if (engine === undefined) return findings;
  return findings.map((finding) =>
    finding.state === "no"
      ? { ...finding, state: "limited", reason: `${finding.reason}; ${engine.id} takes over` }
      : finding,
  );
}

function examinePlatform(arch: string): Finding {
  const goarch: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
  const platform = `${process.platform}/${goarch[arch] ?? arch}`;
  const base = { id: "platform", what: "platform" };
  return hostSchema.safeParse(platform).success
    ? { ...base, state: "yes", reason: `${platform}, kernel ${release()}, ${availableParallelism()} processors` }
    : { ...base, state: "no", reason: `${platform} has no sandbox driver`, fix: "build on Linux, amd64 or arm64" };
}

function examineNode(): Finding {
  return { id: "node", what: "Node", state: "yes", reason: process.versions.node };
}

async function examineTools(): Promise<readonly Finding[]> {
  return Promise.all(
    [
      { name: "unshare", state: "no" as const },
      { name: "setpriv", state: "no" as const },
      { name: "setarch", state: "limited" as const },
    ].map(async ({ name, state }): Promise<Finding> => {
      const version = await toolVersion(name);
      const base = { id: name, what: name };
      return version === undefined
        ? { ...base, state, reason: `not found in ${toolPath}, or not util-linux's`, fix: "apt-get install util-linux" }
        : { ...base, state: "yes", reason: version };
    }),
  );
}

async function examineNamespaces(uid: number): Promise<readonly Finding[]> {
  const [refusal, sudo] = await Promise.all([tryUserNamespaces(), trySudo()]);
  const user = { id: "user-namespaces", what: "user namespaces" };
  const viaSudo = sudo.code === 0;
  const who = uid === 0 ? "as root" : `as user ${uid}`;
  const sudoReason = viaSudo ? "works without a password" : firstLine(sudo.stderr) || "not available";
  return [
    refusal === undefined
      ? { ...user, state: "yes", reason: `entered all namespaces ${who}` }
      : { ...user, state: viaSudo ? "limited" : "no", reason: refusal.reason, fix: refusal.fix },
    {
      id: "sudo",
      what: "sudo",
      state: viaSudo ? "yes" : "limited",
      reason: refusal === undefined ? `${sudoReason}; not needed here` : sudoReason,
    },
  ];
}

function examineMemory(): Finding {
  const base = { id: "memory", what: "memory" };
  const gigabytes = freemem() / 1e9;
  const reason = `${gigabytes.toFixed(1)} GB available`;
  return gigabytes >= 2
    ? { ...base, state: "yes", reason }
    : {
        ...base,
        state: "limited",
        reason,
        fix: "free some; large programs need 2 GB for each side, --sequential halves it",
      };
}

async function examineStore(root: string): Promise<Finding> {
  const base = { id: "store", what: "store" };
  try {
    const { bavail, bsize } = await statfs(await existingParent(root));
    const gigabytes = (bavail * bsize) / 1e9;
    const reason = `${root}, ${gigabytes.toFixed(1)} GB free`;
    return gigabytes >= 2
      ? { ...base, state: "yes", reason }
      : { ...base, state: "limited", reason, fix: "free some disk, or set TWINSEAL_CACHE to another place" };
  } catch (error) {
    return {
      ...base,
      state: "no",
      reason: `${root}: ${messageOf(error)}`,
      fix: "set TWINSEAL_CACHE to a place you can write to",
    };
  }
}

async function existingParent(path: string): Promise<string> {
  try {
    await statfs(path);
    return path;
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT" || dirname(path) === path) throw error;
    return existingParent(dirname(path));
  }
}

async function examineProxies(deps: Pick<CliDeps, "env" | "knownProxies">): Promise<Finding> {
  const base = { id: "module-proxy", what: "module proxy" };
  try {
    const proxies = await deps.knownProxies();
    if (proxies.length > 0) return { ...base, state: "yes", reason: proxies.map(withoutCredentials).join(", ") };
    const reason = deps.env["GOPROXY"]
      ? "GOPROXY names none: pin and fetch cannot run"
      : "none is set, and no Go is installed that names one: Go's own download page is asked when one is needed";
    return { ...base, state: "limited", reason, fix: "set GOPROXY" };
  } catch (error) {
    return { ...base, state: "limited", reason: messageOf(error), fix: "set GOPROXY" };
  }
}

function withoutCredentials(proxy: string): string {
  return proxy.replace(/^(\w+:\/\/)[^/@]*@/, "$1");
}

async function examineGit(): Promise<Finding> {
  const base = { id: "git", what: "git" };
  try {
    const result = await runProcess(["git", "--version"], { env: { PATH: toolPath }, timeoutMs: 10_000 });
    if (result.code === 0)
      return { ...base, state: "yes", reason: firstLine(result.stdout).replace(/^git version /, "") };
  } catch {
    // said below
  }
  return {
    ...base,
    state: "limited",
    reason: "not found; recipes with a git source need it",
    fix: "apt-get install git",
  };
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0] ?? "";
}
