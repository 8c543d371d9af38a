import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../builder/errors.ts";
import { runProcess } from "../../builder/process.ts";
import { engineNames, findEngine, runEngine, type Engine, type EngineName } from "../../builder/sandbox/engine.ts";

/** A real engine with nothing in it but what the test puts there; gone with its scope, with all its containers. */
export type TestEngine = AsyncDisposable & {
  readonly engine: Engine;
  /** Where its data lie when it is the test's own, else empty. */
  readonly dir: string;
  /** For twinseal, to find it. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of all containers, also of those that do not run. */
  readonly containers: () => Promise<readonly string[]>;
  /** Ends the engine itself as a crash would; podman has no process that could. */
  readonly crash: () => Promise<void>;
  readonly restart: () => Promise<void>;
};

/** The engine, or why none can be had here. Root starts a daemon of its own; others take the one that is there. */
export async function openEngine(name: EngineName): Promise<TestEngine | string> {
  const dir = await mkdtemp(join(tmpdir(), "ts-engine-"));
  const [PATH, HOME] = [process.env["PATH"] ?? "", process.env["HOME"] ?? "/"];
  const isRoot = process.getuid?.() === 0;
  try {
    if (name === "docker" && isRoot) {
      if (!isOnPath("dockerd")) throw new Error("there is no dockerd");
      const daemon = await startDaemon(dir);
      return await testEngine(name, { PATH, HOME, DOCKER_HOST: `unix://${dir}/docker.sock` }, dir, daemon);
    }
    if (name === "podman" && isRoot) {
      return await testEngine(name, { PATH, HOME, ...(await podmanSettings(dir)) }, dir, undefined);
    }
    const keys = ["DOCKER_HOST", "XDG_RUNTIME_DIR", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"] as const;
    const found = keys.flatMap((key) => (process.env[key] === undefined ? [] : [[key, process.env[key]]]));
    return await testEngine(name, { PATH, HOME, ...Object.fromEntries(found) }, dir, undefined);
  } catch (error) {
    await removeDir(dir);
    return `no ${name} here: ${messageOf(error)}`;
  }
}

/** All engines that can be had, and the reasons for the others. */
export async function openEngines(): Promise<ReadonlyMap<EngineName, TestEngine | string>> {
  return new Map(await Promise.all(engineNames.map(async (name) => [name, await openEngine(name)] as const)));
}

type Daemon = { readonly start: () => Promise<void>; readonly stop: (signal: NodeJS.Signals) => Promise<void> };

async function testEngine(
  name: EngineName,
  env: Readonly<Record<string, string>>,
  dir: string,
  daemon: Daemon | undefined,
): Promise<TestEngine> {
  const engine = await findEngine(name, env, process.getuid?.() ?? 0);
  const isOwn = daemon !== undefined || env["CONTAINERS_STORAGE_CONF"]?.startsWith(`${dir}/`) === true;
  const containers = async () => {
    const listed = await runEngine(engine, ["ps", "--all", "--format", "{{.Names}}"], { timeoutMs: 30_000 });
    if (listed.code !== 0) throw new Error(listed.stderr);
    return listed.stdout.split("\n").filter((line) => line !== "");
  };
  return {
    engine,
    dir: isOwn ? dir : "",
    env,
    containers,
    crash: async () => daemon?.stop("SIGKILL"),
    restart: async () => daemon?.start(),
    [Symbol.asyncDispose]: async () => {
      if (isOwn) {
        const names = await containers().catch(() => []);
        for (const one of names) await runEngine(engine, ["rm", "--force", one], { timeoutMs: 30_000 }).catch(() => {});
      }
      await daemon?.stop("SIGTERM");
      await removeDir(dir);
    },
  };
}

async function startDaemon(dir: string): Promise<Daemon> {
  let child: ReturnType<typeof spawn> | undefined;
  const start = async () => {
    await rm(join(dir, "docker.pid"), { force: true });
    const options = ["--data-root", "data", "--exec-root", "exec", "--pidfile", "docker.pid"];
    const daemon = spawn(
      "dockerd",
      [
        "--bridge=none",
        "--iptables=false",
        "-H",
        `unix://${dir}/docker.sock`,
        ...options.map((one) => absolute(dir, one)),
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    child = daemon;
    let said = "";
    daemon.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
    const env = { PATH: process.env["PATH"] ?? "", DOCKER_HOST: `unix://${dir}/docker.sock` };
    for (const end = Date.now() + 60_000; Date.now() < end; await sleep(100)) {
      if (daemon.exitCode !== null) throw new Error(`dockerd ended: ${said.trim().split("\n").at(-1)}`);
      if ((await runProcess(["docker", "version"], { env, timeoutMs: 10_000 })).code === 0) return;
    }
    throw new Error("dockerd did not answer within a minute");
  };
  const stop = async (signal: NodeJS.Signals) => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, "exit");
    child.kill(signal);
    await closed;
  };
  await start().catch(async (error: unknown) => {
    await stop("SIGKILL");
    throw error;
  });
  return { start, stop };
}

function absolute(dir: string, option: string): string {
  return option.startsWith("--") ? option : join(dir, option);
}

/** Storage of its own, and what a machine with old cgroups and low limits needs; users write the same into containers.conf. */
async function podmanSettings(dir: string): Promise<Readonly<Record<string, string>>> {
  const conf = join(dir, "containers.conf");
  const storage = join(dir, "storage.conf");
  const runtime = isOnPath("crun") ? [] : ['runtime = "runc"'];
  await writeFile(
    conf,
    [
      "[engine]",
      ...runtime,
      'cgroup_manager = "cgroupfs"',
      'events_logger = "file"',
      "[containers]",
      'default_ulimits = ["nofile=20000:20000", "nproc=1000:1000"]',
      "",
    ].join("\n"),
  );
  const roots = [`graphroot = "${dir}/graph"`, `runroot = "${dir}/run"`];
  await writeFile(storage, ["[storage]", 'driver = "overlay"', ...roots, ""].join("\n"));
  return { CONTAINERS_CONF: conf, CONTAINERS_STORAGE_CONF: storage };
}

function isOnPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((dir) => existsSync(join(dir, program)));
}

/** Engines leave mounts in their directories when they are killed. */
async function removeDir(dir: string): Promise<void> {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? [])
    .filter((path) => path.startsWith(`${dir}/`))
    .toReversed();
  for (const path of mounts) {
    await runProcess(["umount", "--lazy", path], { env: { PATH: process.env["PATH"] ?? "" }, timeoutMs: 10_000 });
  }
  await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
