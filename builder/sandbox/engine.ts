import { z } from "zod";
import { TwinsealError, messageOf } from "../errors.ts";
import { runProcess, type ProcessResult } from "../process.ts";
import { engineFailure } from "./engine-failure.ts";

/** A container engine that answers. Its settings are its own: contexts, daemon.json, containers.conf. */
export const engineNames = ["docker", "podman"] as const;
export type EngineName = (typeof engineNames)[number];

export type Environment = Readonly<Record<string, string | undefined>>;

export type Engine = {
  readonly name: EngineName;
  readonly env: Readonly<Record<string, string>>;
  readonly version: string;
  /** Podman without root: we are a user in a namespace of its making. */
  readonly rootless: boolean;
};

/** What the engines' own programs read of the caller's environment; nothing else reaches them. */
const engineVariables = [
  "PATH",
  "HOME",
  "XDG_RUNTIME_DIR",
  "XDG_CONFIG_HOME",
  "XDG_DATA_HOME",
  "DBUS_SESSION_BUS_ADDRESS",
  "TMPDIR",
  "DOCKER_HOST",
  "DOCKER_CONTEXT",
  "DOCKER_CONFIG",
  "DOCKER_CERT_PATH",
  "DOCKER_TLS_VERIFY",
  "DOCKER_API_VERSION",
  "CONTAINER_HOST",
  "CONTAINER_CONNECTION",
  "CONTAINERS_CONF",
  "CONTAINERS_CONF_OVERRIDE",
  "CONTAINERS_STORAGE_CONF",
  "CONTAINERS_REGISTRIES_CONF",
] as const;

/** docker 20.10 knows `--pull never`; podman 4.3 maps the caller to any user (`keep-id:uid=…`). */
const oldest: Readonly<Record<EngineName, readonly [number, number]>> = { docker: [20, 10], podman: [4, 3] };

const versionSchema = z.object({
  Client: z.object({ Version: z.string() }).nullish(),
  Server: z.object({ Version: z.string() }).nullish(),
});

const ANSWER_MS = 30_000;

/**
 * Asks an engine for its version. Throws `world/ENGINE_MISSING`, `world/ENGINE_DOWN`, `world/ENGINE_FORBIDDEN`,
 * `world/ENGINE_TOO_OLD` and what else engine-failure.ts knows, each with its cure.
 */
export async function findEngine(name: EngineName, env: Environment, uid: number): Promise<Engine> {
  const own = engineEnvironment(env);
  const result = await askVersion(name, own);
  const parsed = parseVersion(result.stdout);
  if (result.code !== 0 || parsed === undefined) throw engineFailure(name, result.stderr || "it told no version");
  if (name === "docker" && parsed.Server === undefined) {
    throw new TwinsealError(
      "world",
      "ENGINE_MISSING",
      "the docker program here is another one's, and names no engine",
      {
        hint: "use --driver podman",
      },
    );
  }
  const version = parsed.Server?.Version ?? parsed.Client?.Version ?? "";
  assertNewEnough(name, version);
  return { name, env: own, version, rootless: name === "podman" && uid !== 0 };
}

/** Runs one command of the engine; its exit code is for the caller to judge. */
export function runEngine(
  engine: Pick<Engine, "name" | "env">,
  argv: readonly string[],
  options: { readonly timeoutMs: number; readonly stdin?: Uint8Array },
): Promise<ProcessResult> {
  return runProcess([engine.name, ...argv], { env: engine.env, maxOutputBytes: 8 << 20, ...options });
}

export function engineEnvironment(env: Environment): Readonly<Record<string, string>> {
  return Object.fromEntries(
    engineVariables.flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

async function askVersion(name: EngineName, env: Readonly<Record<string, string>>): Promise<ProcessResult> {
  try {
    return await runEngine({ name, env }, ["version", "--format", "{{json .}}"], { timeoutMs: ANSWER_MS });
  } catch (error) {
    if (error instanceof TwinsealError && error.code === "PROCESS_TIMED_OUT") {
      throw new TwinsealError("world", "ENGINE_DOWN", `${name} does not answer: ${messageOf(error)}`, {
        cause: error,
        hint: "is its daemon stuck? start it anew",
      });
    }
    throw new TwinsealError("world", "ENGINE_MISSING", `there is no ${name} on PATH`, {
      cause: error,
      hint: "install docker or podman, for example apt-get install podman",
    });
  }
}

function parseVersion(text: string): { Client?: { Version: string }; Server?: { Version: string } } | undefined {
  try {
    const { Client, Server } = versionSchema.parse(JSON.parse(text));
    return { ...(Client ? { Client } : {}), ...(Server ? { Server } : {}) };
  } catch {
    return undefined; // the exit code and what it said tell more
  }
}

/** Exported for its test. Throws `world/ENGINE_TOO_OLD`; a version that is no number counts as too old. */
export function assertNewEnough(name: EngineName, version: string): void {
  const [major = Number.NaN, minor = Number.NaN] = version.split(".").map((part) => Number.parseInt(part, 10));
  const [needMajor, needMinor] = oldest[name];
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return;
  throw new TwinsealError(
    "world",
    "ENGINE_TOO_OLD",
    `${name} is ${version || "of no version"}, too old for a sandbox`,
    {
      hint: `${name} ${needMajor}.${needMinor} or newer is needed`,
    },
  );
}
