import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { runProcess, type ProcessResult } from "../builder/process.ts";
import { toolPath } from "../builder/sandbox/preflight.ts";
import type { Finding } from "./examine.ts";

/** Whether build B can live on another day: needs ptrace, and the helper program knows amd64 only. */
export async function examineClockShift(arch: string, program: string | undefined): Promise<Finding> {
  const base = { id: "clock-shift", what: "clock shift" };
  if (arch !== "x64") {
    return {
      ...base,
      state: "limited",
      reason: `not made for ${arch} yet: dimension time is not varied, a date in an artifact makes it suspect`,
    };
  }
  const scope = await readPtraceScope();
  if (scope === 3 || (scope === 2 && process.getuid?.() !== 0)) {
    return {
      ...base,
      state: "limited",
      reason: `kernel.yama.ptrace_scope is ${scope}: no process may be traced`,
      fix: "sudo sysctl -w kernel.yama.ptrace_scope=1",
    };
  }
  if (program === undefined) {
    return { ...base, state: "yes", reason: "ptrace is not forbidden by a setting; the first build tries it for real" };
  }
  const result = await attempt([program, "clock-preflight"]);
  if (result?.code === 0)
    return { ...base, state: "yes", reason: "ptrace works; tried with the sandbox's own program" };
  return {
    ...base,
    state: "limited",
    reason: `refused: ${result?.stderr.trim() ?? "the helper program did not start"}`,
    fix: "in docker: --security-opt seccomp=unconfined",
  };
}

/** Whether boot and monotonic clock can differ. */
export async function examineTimeNamespace(): Promise<Finding> {
  const base = { id: "time-namespace", what: "time namespace" };
  const result = await attempt(["unshare", "--user", "--map-root-user", "--time", "--fork", "true"]);
  if (result?.code === 0) return { ...base, state: "yes", reason: "boot and monotonic clock can be shifted" };
  const said = result?.stderr.trim() ?? "unshare did not start";
  return {
    ...base,
    state: "limited",
    reason: `dimension uptime is not varied: ${said}`,
    fix: "kernel 5.6 or newer with CONFIG_TIME_NS, and user namespaces",
  };
}

async function readPtraceScope(): Promise<number | undefined> {
  try {
    return Number((await readFile("/proc/sys/kernel/yama/ptrace_scope", "utf8")).trim());
  } catch {
    return undefined; // a kernel without Yama: its parent may trace a process
  }
}

/** The newest program that an earlier build made for its sandboxes, if there was one. */
export async function helperProgram(dir: string): Promise<string | undefined> {
  try {
    const programs = (await readdir(dir)).filter((entry) => /^[0-9a-f]{64}$/.test(entry));
    const made = await Promise.all(
      programs.map(async (name) => ({ path: join(dir, name), atMs: (await stat(join(dir, name))).mtimeMs })),
    );
    return made.toSorted((left, right) => right.atMs - left.atMs)[0]?.path;
  } catch {
    return undefined; // no build has been made here yet
  }
}

async function attempt(argv: readonly [string, ...string[]]): Promise<ProcessResult | undefined> {
  try {
    return await runProcess(argv, { env: { PATH: toolPath, LC_ALL: "C" }, timeoutMs: 20_000 });
  } catch {
    return undefined;
  }
}
