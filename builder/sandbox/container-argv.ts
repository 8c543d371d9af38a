import type { SandboxBind, SandboxSpec } from "./driver.ts";
import { PROGRAM_PATH, writableDirs } from "./container-root.ts";
import type { EngineName } from "./engine.ts";

/** What a container is made of, besides the plan. */
export type ContainerParts = {
  readonly engine: EngineName;
  readonly rootless: boolean;
  /** Id of an image. */
  readonly image: string;
  /** Name of the container, by which it is killed. */
  readonly name: string;
  /** Host path of our program. */
  readonly program: string;
  readonly rootBinds: readonly SandboxBind[];
};

/** Enough for any build; a fork bomb ends here. */
const MAX_TASKS = 32_768;

/** Files of /proc that tell of the machine. Over these, and no others, the runtimes let something be mounted. */
const maskedFiles = ["cpuinfo", "meminfo", "stat", "loadavg", "uptime", "diskstats", "swaps"] as const;

/** What podman can hide besides, which docker's program has no option for. */
const hiddenPaths = ["/proc/version", "/proc/cmdline", "/proc/sys/kernel", "/proc/config.gz"] as const;

/** The host paths that a container sees, all of them read-only. */
export function containerBinds(parts: ContainerParts, spec: SandboxSpec): readonly SandboxBind[] {
  return [{ from: parts.program, to: PROGRAM_PATH }, ...parts.rootBinds, ...spec.binds];
}

/** The engine's arguments that make the sandbox and start our program as its first process. Pure. */
export function containerArgv(parts: ContainerParts, spec: SandboxSpec): readonly string[] {
  return [
    "run",
    "--rm", // the engine removes it, also when we are dead
    "--interactive", // our pipe: its end is the container's
    `--name=${parts.name}`,
    "--label=twinseal.sandbox=1",
    "--pull=never",
    "--network=none",
    "--ipc=none", // no /dev/shm
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    `--pids-limit=${MAX_TASKS}`,
    "--log-driver=none",
    `--user=${spec.uid}:${spec.gid}`,
    `--hostname=${spec.hostname}`,
    ...ownArguments(parts, spec),
    ...containerBinds(parts, spec).map(bindArgument),
    ...maskedFiles.map((name) => bindArgument({ from: "/dev/null", to: `/proc/${name}` })),
    ...["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"].map((to) => bindArgument({ from: "/dev/null", to })),
    ...writableDirs(spec).map((dir) => scratchArgument(parts.engine, dir, spec)),
    "--tmpfs=/sys:ro,nosuid,nodev,noexec,size=4k,mode=0000", // docker keeps the mode of the directory,
    "--workdir=/",
    `--entrypoint=${PROGRAM_PATH}`,
    parts.image,
    "contain",
  ];
}

/** Where the two engines differ. */
function ownArguments(parts: ContainerParts, spec: SandboxSpec): readonly string[] {
  switch (parts.engine) {
    case "docker":
      return [`--domainname=${spec.domainname}`];
    case "podman":
      return [
        "--read-only-tmpfs=false", // else /tmp, /run and /var/tmp can be written to
        "--no-hosts",
        "--passwd=false",
        "--systemd=false",
        "--http-proxy=false",
        "--sdnotify=ignore",
        `--security-opt=mask=${hiddenPaths.join(":")}`,
        // Our files stay ours, so that what the caller may read the build may read.
        ...(parts.rootless ? [`--userns=keep-id:uid=${spec.uid},gid=${spec.gid}`] : []),
      ];
  }
}

/** The value is a line of CSV. */
function bindArgument({ from, to }: SandboxBind): string {
  const fields = ["type=bind", `source=${from}`, `target=${to}`, "readonly"];
  return `--mount=${fields.map((field) => (/[",]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(",")}`;
}

function scratchArgument(engine: EngineName, dir: string, spec: SandboxSpec): string {
  const options = ["rw", "exec", "nosuid", "nodev", `size=${spec.scratchBytes}`, "mode=0755"];
  const own = engine === "docker" ? [`uid=${spec.uid}`, `gid=${spec.gid}`] : ["notmpcopyup", "U"]; // U: the user's
  return `--tmpfs=${dir}:${[...options, ...own].join(",")}`;
}
