import { spawn } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TwinsealError, messageOf } from "../errors.ts";
import type { SandboxDriver, SandboxEvent, SandboxRun, SandboxSpec } from "./driver.ts";
import { createEventReader } from "./events.ts";

/**
 * Driver `namespaces`: util-linux makes the namespaces, our program (inside/) is their first process and does the rest.
 * `setpriv --pdeathsig` outside and `unshare --kill-child` inside let everything die with us, also at SIGKILL; the pipe
 * on standard input does the same where sudo stands between.
 */
export type NamespacesAccess = {
  /** How user namespaces are had: as we are, or through sudo where the kernel refuses them to us. */
  readonly through: "user" | "sudo";
  readonly uid: number;
  readonly gid: number;
  readonly timeNamespace: boolean;
};

const NOBODY = 65534;

export function createNamespacesDriver(
  program: string,
  access: NamespacesAccess,
  tools: Readonly<Record<string, string>>,
): SandboxDriver {
  return {
    id: "namespaces",
    tools,
    run: (spec, run) => runInNamespaces(program, access, spec, run),
  };
}

async function runInNamespaces(
  program: string,
  access: NamespacesAccess,
  spec: SandboxSpec,
  run: SandboxRun,
): Promise<readonly string[]> {
  const root = join(run.workDir, "root");
  await mkdir(root, { recursive: true });
  await mkdir(spec.outputTo, { recursive: true });
  const specPath = join(run.workDir, "spec.json");
  const viaSudo = access.through === "sudo";
  // The build must not be the host's root, whoever asked for it.
  const [ownerUid, ownerGid] = access.uid === 0 ? [NOBODY, NOBODY] : [access.uid, access.gid];
  await writeFile(
    specPath,
    JSON.stringify({
      ...spec,
      root,
      outerUserNamespace: !viaSudo,
      ownerUid: viaSudo ? ownerUid : 0,
      ownerGid: viaSudo ? ownerGid : 0,
    }),
  );
  if (viaSudo) await chmod(run.workDir, 0o755);
  return watchSandbox(namespaceArgv(program, access, spec, specPath), run);
}

/** The command line that enters the namespaces and starts init. */
export function namespaceArgv(
  program: string,
  access: NamespacesAccess,
  spec: Pick<SandboxSpec, "uptimeOffsetSeconds">,
  specPath: string,
): readonly [string, ...string[]] {
  const offset = String(spec.uptimeOffsetSeconds);
  const time =
    access.timeNamespace && spec.uptimeOffsetSeconds !== 0
      ? ["--time", "--boottime", offset, "--monotonic", offset]
      : [];
  const user = access.through === "sudo" ? [] : ["--user", "--map-root-user"];
  const enter: readonly [string, ...string[]] = [
    "setpriv",
    "--pdeathsig",
    "KILL",
    "--",
    "unshare",
    ...user,
    "--mount",
    "--pid",
    "--net",
    "--uts",
    "--ipc",
    "--cgroup",
    ...time,
    "--kill-child=SIGKILL",
    "--fork",
    "--propagation",
    "private",
    "--",
    program,
    "init",
    specPath,
  ];
  return access.through === "sudo" ? ["sudo", "-n", "--", ...enter] : enter;
}

function watchSandbox(argv: readonly [string, ...string[]], run: SandboxRun): Promise<readonly string[]> {
  const [file, ...args] = argv;
  const child = spawn(file, args, {
    // The only variable is for finding util-linux; init clears it before any step.
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
    stdio: "pipe",
    detached: true, // Ctrl-C reaches us alone, and we end the sandbox
  });
  let files: readonly string[] | undefined;
  let fault: TwinsealError | undefined;
  let errors = "";
  const stop = (error: TwinsealError) => {
    fault ??= error;
    child.stdin.destroy();
    child.kill("SIGKILL");
  };
  const onEvent = (event: SandboxEvent) => {
    if (event.event === "done") files = event.files;
    if (event.event === "error") fault ??= refusal(event.step, event.text);
    run.onEvent(event);
  };
  const read = createEventReader(onEvent);
  child.stdout.on("data", (chunk: Buffer) => {
    try {
      read(chunk);
    } catch (error) {
      stop(new TwinsealError("world", "SANDBOX_FAILED", `reading the sandbox: ${messageOf(error)}`, { cause: error }));
    }
  });
  child.stderr.on("data", (chunk: Buffer) => {
    if (errors.length < 65_536) errors += chunk.toString("utf8");
  });
  child.stdin.on("error", () => {}); // it closes when the sandbox ends
  const timer = setTimeout(
    () =>
      stop(
        new TwinsealError("world", "SANDBOX_TIMED_OUT", `the sandbox was stopped after ${run.timeoutMs / 1000} s`, {
          hint: "raise the limit with --timeout-minutes",
        }),
      ),
    run.timeoutMs,
  );
  const abort = () => stop(new TwinsealError("world", "INTERRUPTED", "interrupted"));
  if (run.signal?.aborted === true) abort();
  run.signal?.addEventListener("abort", abort, { once: true });
  return new Promise<readonly string[]>((resolve, reject) => {
    child.on("error", (error) => reject(notStarted(file, error)));
    child.on("close", (code, signal) => {
      if (fault !== undefined) reject(fault);
      else if (files !== undefined && code === 0) resolve(files);
      else reject(sandboxFailure(code, signal, errors.trim()));
    });
  }).finally(() => {
    clearTimeout(timer);
    run.signal?.removeEventListener("abort", abort);
  });
}

function refusal(code: string, text: string): TwinsealError {
  return new TwinsealError(code === "CACHE_NOT_EMPTY" ? "alarm" : "caller", code, text);
}

function notStarted(file: string, error: Error): TwinsealError {
  return new TwinsealError("world", "SANDBOX_NOT_STARTED", `starting ${file}: ${error.message}`, {
    cause: error,
    hint: "install util-linux; `twinseal doctor` says what this machine can do",
  });
}

/** Names why a sandbox ended without having finished. */
export function sandboxFailure(code: number | null, signal: string | null, errors: string): TwinsealError {
  if (/uid_map|unshare failed|Operation not permitted/.test(errors) && /unshare/.test(errors)) {
    return new TwinsealError("world", "NAMESPACES_REFUSED", `this machine refuses user namespaces: ${errors}`, {
      hint: "run `twinseal doctor`; on Ubuntu 24.04: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    });
  }
  if (/no space left on device/i.test(errors)) {
    return new TwinsealError("world", "SCRATCH_FULL", `the sandbox ran out of space: ${errors}`);
  }
  if (signal === "SIGKILL" || code === 137) {
    return new TwinsealError(
      "world",
      "KILLED",
      "the sandbox was killed, most likely by the kernel for lack of memory",
      {
        hint: "free memory, or build with --sequential",
      },
    );
  }
  return new TwinsealError(
    "world",
    "SANDBOX_FAILED",
    `the sandbox ended with ${signal ?? `exit code ${code}`}: ${errors}`,
  );
}
