import { TwinsealError } from "../errors.ts";
import type { EngineName } from "./engine.ts";

type Words = {
  readonly code: string;
  readonly words: RegExp;
  readonly reason: string;
  readonly fix: (engine: EngineName) => string;
};

const start: Readonly<Record<EngineName, string>> = {
  docker: "sudo systemctl start docker, or set DOCKER_HOST (docker context ls) to an engine that runs",
  podman: "podman info says what is wrong; CONTAINER_HOST must be unset, or name a service that runs",
};

/** What an engine says, and what it means. The first that fits counts. */
const known: readonly Words[] = [
  {
    code: "ENGINE_FORBIDDEN",
    words: /permission denied while trying to connect|connect: permission denied|dial unix [^:]+: .*permission denied/i,
    reason: "this user may not speak to the engine",
    fix: (engine) =>
      engine === "docker"
        ? "sudo usermod -aG docker $USER and log in again (members of that group are as good as root), or use podman without root"
        : "run as the user whose podman it is",
  },
  {
    code: "ENGINE_DIED",
    words: /error waiting for container|unexpected EOF|connection reset by peer|broken pipe|error during connect/i,
    reason: "the engine went away in mid-run",
    fix: (engine) => `start it again, then the build; ${start[engine]}`,
  },
  {
    code: "ENGINE_DOWN",
    words:
      /cannot connect to the docker daemon|is the docker daemon running|unable to connect to podman|connection refused/i,
    reason: "no engine answers",
    fix: (engine) => start[engine],
  },
  {
    code: "ENGINE_ROOTLESS_LIMIT",
    words:
      /no sub[ug]id ranges|cannot find mappings|insufficient [UG]IDs|not enough (available )?IDs|newuidmap|newgidmap/i,
    reason: "without root, the engine has too few user ids to give the build another one",
    fix: () =>
      "sudo apt-get install uidmap; sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER; podman system migrate",
  },
  {
    code: "ENGINE_ELSEWHERE",
    words: /bind source path does not exist|bind mount .*no such file|statfs [^:]+: no such file/i,
    reason: "the engine does not see this machine's files, so it runs on another one",
    fix: () => "unset DOCKER_HOST and DOCKER_CONTEXT, or run twinseal where the engine is",
  },
  {
    code: "DISK_FULL",
    words: /no space left on device/i,
    reason: "the engine has no space left",
    fix: (engine) => `free some: ${engine} system df`,
  },
  {
    code: "ENGINE_CANNOT_RUN",
    words: /OCI runtime|runc|crun|cgroup|rlimit|seccomp|operation not permitted/i,
    reason: "the engine cannot start a container here",
    fix: (engine) =>
      engine === "docker"
        ? "try docker run hello-world; the engine's own log says more"
        : "try podman run; runtime and limits can be set in containers.conf (CONTAINERS_CONF)",
  },
];

/** Turns what an engine said on standard error into an error with a cure; unknown words are told as they are. */
export function engineFailure(engine: EngineName, said: string): TwinsealError {
  const found = known.find(({ words }) => words.test(said));
  const text = theError(said);
  if (found === undefined) {
    return new TwinsealError("world", "ENGINE_FAILED", `${engine} failed: ${text}`, {
      hint: "run twinseal doctor, or use another --driver",
    });
  }
  return new TwinsealError("world", found.code, `${engine}: ${found.reason}: ${text}`, { hint: found.fix(engine) });
}

/** Without the warnings that engines print around it. */
function theError(said: string): string {
  const lines = said.split("\n").filter((line) => line.trim() !== "");
  const errors = lines.filter((line) => /^(error|docker|inside)\b/i.test(line));
  const others = lines.filter((line) => !/^WARNING: |level=(warning|info)/.test(line));
  return (errors.length > 0 ? errors : others).join("; ") || "it said nothing";
}
