import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TwinsealError } from "../errors.ts";
import type { SandboxDriver, SandboxRun, SandboxSpec } from "./driver.ts";
import { sandboxFailure } from "./failure.ts";
import { toolPath } from "./preflight.ts";
import { watchSandbox } from "./watch.ts";

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
  const argv = namespaceArgv(program, access, spec, specPath);
  return watchSandbox(
    {
      argv,
      // The only variable is for finding util-linux; init clears it before any step.
      env: { PATH: toolPath },
      // init writes the outputs itself.
      receiveFile: () => Promise.reject(new TwinsealError("world", "SANDBOX_FAILED", "the sandbox sent a file")),
      kill: (child) => Promise.resolve(void child.kill("SIGKILL")),
      notStarted: (error) => notStarted(argv[0], error),
      explain: (code, signal, errors) => Promise.resolve(sandboxFailure(code, signal, errors)),
    },
    run,
  );
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

function notStarted(file: string, error: Error): TwinsealError {
  return new TwinsealError("world", "SANDBOX_NOT_STARTED", `starting ${file}: ${error.message}`, {
    cause: error,
    hint: "install util-linux; `twinseal doctor` says what this machine can do",
  });
}
