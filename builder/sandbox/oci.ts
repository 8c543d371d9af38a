import { randomUUID } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import type { Writable } from "node:stream";
import { TwinsealError } from "../errors.ts";
import { plainSpec } from "./plain-spec.ts";
import { containerArgv, containerBinds, type ContainerParts } from "./container-argv.ts";
import { explainEnd, killContainer, removeContainer } from "./container-end.ts";
import { layRoot } from "./container-root.ts";
import type { RefusedPowers, SandboxDriver, SandboxRun, SandboxSpec } from "./driver.ts";
import type { Engine } from "./engine.ts";
import { receiveFiles } from "./received-files.ts";
import { rootImage } from "./root-image.ts";
import { sendSandbox, type ContainedSpec } from "./source-stream.ts";
import { watchSandbox } from "./watch.ts";

/**
 * Driver `docker` or `podman`: one container for each sandbox. The engine makes namespaces, mounts and limits; our
 * program (inside/) is the first process, looks whether they are as asked, and does the rest as under `namespaces`.
 * Nothing of the host is writable inside: plan and source go in over standard input, outputs come over standard output.
 */
export function createOciDriver(engine: Engine, program: string, arch: string): SandboxDriver {
  return {
    id: engine.name,
    tools: { [engine.name]: engine.version },
    run: (spec, run) => runContainer({ engine, program, arch }, spec, run, false),
  };
}

/** Starts a container that runs nothing, to hear what it cannot vary. Throws what a build's would. */
export async function tryContainer(place: ContainerPlace, workDir: string): Promise<RefusedPowers> {
  let refused: RefusedPowers | undefined;
  await runContainer(
    place,
    plainSpec(workDir),
    {
      workDir,
      timeoutMs: 60_000,
      onEvent: (event) => {
        if (event.event === "power") refused = event.refused;
      },
    },
    true,
  );
  if (refused === undefined)
    throw new TwinsealError("world", "SANDBOX_FAILED", "the container did not tell what it can");
  return refused;
}

export type ContainerPlace = { readonly engine: Engine; readonly program: string; readonly arch: string };

async function runContainer(
  { engine, program, arch }: ContainerPlace,
  spec: SandboxSpec,
  run: SandboxRun,
  preflight: boolean,
): Promise<readonly string[]> {
  await mkdir(spec.outputTo, { recursive: true });
  const layout = await layRoot(spec);
  const parts: ContainerParts = {
    engine: engine.name,
    rootless: engine.rootless,
    image: await rootImage(engine, layout.links, arch),
    name: `twinseal-${randomUUID()}`,
    program,
    rootBinds: layout.binds,
  };
  const binds = containerBinds(parts, spec);
  if (!engine.rootless) await assertReadable(binds.map(({ from }) => from));
  const plan = containedSpec(
    spec,
    binds.map(({ to }) => to),
    preflight,
  );
  await using files = receiveFiles(spec);
  const startedAt = new Date();
  try {
    return await watchSandbox(
      {
        argv: [engine.name, ...containerArgv(parts, spec)],
        env: engine.env,
        feed: async (stdin) => {
          await sendSandbox(stdin, plan, spec.source.from);
          keepAlive(stdin);
        },
        receiveFile: files.receive,
        kill: (child) => killContainer(engine, parts.name, child),
        notStarted: (error) =>
          new TwinsealError("world", "ENGINE_MISSING", `starting ${engine.name}: ${error.message}`),
        explain: (code, signal, errors) => explainEnd(engine, parts.name, startedAt, { code, signal, errors }),
      },
      run,
    );
  } catch (error) {
    await removeContainer(engine, parts.name);
    throw error;
  }
}

/** Far more often than init needs it (longestSilence in inside/contain.go). */
const HEARTBEAT_MS = 3_000;

/** Lets init know that we live: an engine that is killed does not close the container's standard input. */
function keepAlive(stdin: Writable): void {
  const timer = setInterval(() => stdin.write("\n"), HEARTBEAT_MS);
  timer.unref();
  stdin.once("close", () => clearInterval(timer));
}

/** Leaves out every path of the host. */
function containedSpec(spec: SandboxSpec, mounts: readonly string[], preflight: boolean): ContainedSpec {
  const { rootfs: _rootfs, binds: _binds, outputTo: _outputTo, source, ...rest } = spec;
  const { from: _from, ...tree } = source;
  return {
    ...rest,
    source: tree,
    contained: true,
    preflight,
    mounts,
    ownerUid: spec.uid,
    ownerGid: spec.gid,
  };
}

/** A daemon's container is another user: what only we may read it may not. */
async function assertReadable(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const { mode } = await stat(path);
    if ((mode & 0o004) !== 0) continue;
    throw new TwinsealError("world", "INPUT_UNREADABLE", `the container's user may not read ${path}`, {
      hint: "set umask 022, remove the directory `twinseal store path` prints and fetch again; or use --driver namespaces",
    });
  }
}
