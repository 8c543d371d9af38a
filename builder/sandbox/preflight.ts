import { readFile } from "node:fs/promises";
import { TwinsealError, messageOf } from "../errors.ts";
import { runProcess } from "../process.ts";
import { judgeUserNamespaces, type KernelSettings, type PreflightResult, type Refusal } from "./user-namespaces.ts";

/** Where util-linux and sudo are looked for; the caller's PATH has no say. */
export const toolPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const namespaces = [
  "--mount",
  "--pid",
  "--net",
  "--uts",
  "--ipc",
  "--cgroup",
  "--fork",
  "--mount-proc",
  "--",
  "true",
] as const;
const userArgv = ["unshare", "--user", "--map-root-user", ...namespaces] as const;
const sudoArgv = ["sudo", "-n", "--", "setpriv", "--pdeathsig", "KILL", "--", "unshare", ...namespaces] as const;

export type FoundAccess = {
  readonly access: { readonly through: "user" | "sudo"; readonly uid: number; readonly gid: number };
  /** Versions of the programs that make the sandbox, for the report. */
  readonly tools: Readonly<Record<string, string>>;
};

/**
 * Tries what the driver will do, as we are, then through sudo. Throws `world/TOOL_MISSING` without util-linux and
 * `world/NAMESPACES_REFUSED`, with the setting and its cure, where neither way works.
 */
export async function findNamespacesAccess(deps: { readonly uid: number; readonly gid: number }): Promise<FoundAccess> {
  const { uid, gid } = deps;
  const tools = await findTools();
  const refusal = await tryUserNamespaces();
  if (refusal === undefined) return { access: { through: "user", uid, gid }, tools };
  if ((await trySudo()).code === 0) return { access: { through: "sudo", uid, gid }, tools };
  throw new TwinsealError(
    "world",
    "NAMESPACES_REFUSED",
    `this machine refuses what the sandbox needs: ${refusal.reason}`,
    {
      hint: refusal.fix,
    },
  );
}

/** Enters the driver's namespaces as the user we are; undefined when that works. */
export async function tryUserNamespaces(): Promise<Refusal | undefined> {
  const [result, settings] = await Promise.all([attempt(userArgv), readKernelSettings()]);
  return judgeUserNamespaces(result, settings);
}

/** Enters them through sudo, which must not ask for a password. */
export function trySudo(): Promise<PreflightResult> {
  return attempt(sudoArgv);
}

/** Versions of `unshare` and `setpriv`. */
export async function findTools(): Promise<Readonly<Record<string, string>>> {
  const names = ["unshare", "setpriv"] as const;
  const versions = await Promise.all(names.map(async (name) => [name, await toolVersion(name)] as const));
  const missing = versions.filter(([, version]) => version === undefined).map(([name]) => name);
  if (missing.length > 0) {
    throw new TwinsealError(
      "world",
      "TOOL_MISSING",
      `${missing.join(" and ")} of util-linux not found in ${toolPath}`,
      {
        hint: "install util-linux, for example apt-get install util-linux",
      },
    );
  }
  return Object.fromEntries(versions.map(([name, version]) => [name, version ?? ""]));
}

/** The version that a util-linux program tells of itself; undefined where it is missing or is not util-linux's. */
export async function toolVersion(name: string): Promise<string | undefined> {
  const result = await attempt([name, "--version"]);
  return result.code === 0 ? /\bfrom (util-linux \S+)/.exec(result.stdout)?.[1] : undefined;
}

async function attempt(argv: readonly [string, ...string[]]): Promise<PreflightResult & { stdout: string }> {
  try {
    return await runProcess(argv, { env: { PATH: toolPath, LC_ALL: "C" }, timeoutMs: 20_000, maxOutputBytes: 1 << 20 });
  } catch (error) {
    return { code: null, stdout: "", stderr: messageOf(error) };
  }
}

export async function readKernelSettings(): Promise<KernelSettings> {
  const [apparmor, max, clone] = await Promise.all(
    [
      "kernel/apparmor_restrict_unprivileged_userns",
      "user/max_user_namespaces",
      "kernel/unprivileged_userns_clone",
    ].map(readSetting),
  );
  return {
    apparmorRestricts: apparmor === "1",
    maxUserNamespaces: max === undefined ? undefined : Number(max),
    cloneForbidden: clone === "0",
  };
}

async function readSetting(name: string): Promise<string | undefined> {
  try {
    return (await readFile(`/proc/sys/${name}`, "utf8")).trim();
  } catch {
    return undefined; // this kernel does not have it
  }
}
