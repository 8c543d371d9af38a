import { homedir } from "node:os";
import { join } from "node:path";
import type { ZodType } from "zod";
import type { Http } from "../builder/http.ts";
import type { RegistryAuth } from "../builder/inputs/oci-registry.ts";
import type { Store } from "../builder/store/store.ts";
import { renderDocument, type Outcome } from "./json.ts";
import type { ExitCode } from "./exit.ts";
import type { Progress } from "./progress.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Everything a command may touch of the world; made once by `main`, in tests by the test. */
export type CliDeps = {
  readonly env: Environment;
  readonly cwd: string;
  readonly packageRoot: string;
  /** The project's own recipes and locks. */
  readonly manifestsDir: string;
  /** Go source of the program that runs inside a sandbox. */
  readonly insideDir: string;
  /** What this machine made or saw itself: our built program, the tree heads of logs. */
  readonly stateRoot: string;
  /** Where that program is kept once it is built. */
  readonly helperDir: string;
  readonly toolVersion: string;
  readonly uid: number;
  readonly gid: number;
  /** As `process.arch` says it. */
  readonly arch: string;
  /** Whether `--json` was given. */
  readonly json: boolean;
  readonly now: () => number;
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  readonly storeRoot: string;
  readonly store: () => Promise<Store>;
  readonly http: () => Promise<Http>;
  readonly proxies: () => Promise<readonly string[]>;
  /** The same without asking Go's own download page. */
  readonly knownProxies: () => Promise<readonly string[]>;
  /** Where Debian packages are fetched from: TWINSEAL_DEBIAN_MIRROR, else this machine's apt sources. */
  readonly debianMirrors: () => Promise<readonly string[]>;
  /** Passwords of `docker login`; the file is read when a registry wants one. */
  readonly registryAuth: RegistryAuth;
  /** Raw text to standard output: only what a person asked to have there. */
  readonly print: (text: string) => void;
  /** One line for people, on standard error; silent with `--json`. */
  readonly say: (line: string) => void;
  readonly progress: () => Promise<Progress>;
  readonly setExitCode: (code: ExitCode) => void;
  /** Ends a command: exit code, and document or text. Call it once. */
  readonly finish: (outcome: Outcome) => void;
  /** Options checked by a schema; throws `caller/OPTIONS_INVALID`. */
  readonly parse: <T>(schema: ZodType<T>, options: unknown) => Promise<T>;
};

export type CliWorld = {
  readonly env: Environment;
  readonly cwd: string;
  readonly packageRoot: string;
  readonly toolVersion: string;
  readonly json: boolean;
  readonly signal: AbortSignal;
  readonly stdout: { write: (text: string) => unknown };
  readonly stderr: { write: (text: string) => unknown; isTTY?: boolean; columns?: number };
  readonly setExitCode: (code: ExitCode) => void;
};

/** Ties the operations' dependencies together; heavy modules are loaded when they are first asked for. */
export function createDeps(world: CliWorld): CliDeps {
  const { env, json, packageRoot, stdout, stderr } = world;
  const storeRoot = storeRootOf(env);
  const store = async () => (await import("../builder/store/store.ts")).openStore(storeRoot);
  const http = async () => (await import("../builder/http.ts")).createHttp({ proxyEnv: env });
  return {
    env,
    cwd: world.cwd,
    packageRoot,
    manifestsDir: join(packageRoot, "manifests"),
    insideDir: join(packageRoot, "builder", "sandbox", "inside"),
    stateRoot: stateRootOf(env),
    helperDir: join(stateRootOf(env), "inside"),
    toolVersion: world.toolVersion,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    arch: process.arch,
    json,
    now: Date.now,
    signal: world.signal,
    storeRoot,
    store,
    http,
    proxies: () => knownProxies(env, () => downloadedSetting({ store, http, signal: world.signal })),
    knownProxies: () => knownProxies(env),
    debianMirrors: async () => {
      const { debianMirrors } = await import("../builder/inputs/debian-mirrors.ts");
      return debianMirrors({ TWINSEAL_DEBIAN_MIRROR: env["TWINSEAL_DEBIAN_MIRROR"] });
    },
    registryAuth: async (registry) => (await import("./registry-auth.ts")).dockerAuth(env)(registry),
    print: (text) => void stdout.write(text),
    say: (line) => void (json || stderr.write(`${line}\n`)),
    progress: async () => {
      const { createProgress, silentProgress } = await import("./progress.ts");
      if (json) return silentProgress;
      const progress = createProgress({
        stream: stderr,
        isTty: stderr.isTTY === true && env["TERM"] !== "dumb" && env["CI"] === undefined,
        columns: () => stderr.columns || 80,
        env,
        now: Date.now,
      });
      const onAbort = () => progress.line("interrupted, ending; once more ends at once");
      world.signal.addEventListener("abort", onAbort, { once: true });
      return progress;
    },
    setExitCode: world.setExitCode,
    finish: (outcome) => {
      world.setExitCode(outcome.exitCode);
      if (json) stdout.write(renderDocument(outcome));
      else if (outcome.text !== undefined)
        stderr.write(outcome.text.endsWith("\n") ? outcome.text : `${outcome.text}\n`);
    },
    parse: async (schema, options) => {
      const parsed = schema.safeParse(options);
      if (parsed.success) return parsed.data;
      throw (await import("./voice.ts")).optionsError(parsed.error);
    },
  };
}

/** `$TWINSEAL_CACHE`, else `$XDG_CACHE_HOME/twinseal`, else `~/.cache/twinseal`. */
export function storeRootOf(env: Environment): string {
  const own = env["TWINSEAL_CACHE"];
  if (own !== undefined && own !== "") return own;
  const cache = env["XDG_CACHE_HOME"];
  // The XDG base directory specification: a relative path is ignored.
  const base = cache?.startsWith("/") === true ? cache : join(env["HOME"] ?? homedir(), ".cache");
  return join(base, "twinseal");
}

/** What this machine made or saw itself: `$XDG_STATE_HOME/twinseal`, else `~/.local/state/twinseal`. */
export function stateRootOf(env: Environment): string {
  const state = env["XDG_STATE_HOME"];
  return join(state?.startsWith("/") === true ? state : join(env["HOME"] ?? homedir(), ".local", "state"), "twinseal");
}

async function knownProxies(
  env: Environment,
  ...others: readonly (() => Promise<string | undefined>)[]
): Promise<readonly string[]> {
  const [{ proxiesFrom }, { goProxySetting }] = await Promise.all([
    import("../builder/inputs/go-proxy.ts"),
    import("./go-setting.ts"),
  ]);
  const own = env["GOPROXY"];
  return proxiesFrom(own === undefined ? {} : { GOPROXY: own }, () => goProxySetting(env), ...others);
}

async function downloadedSetting(deps: Pick<CliDeps, "store" | "http" | "signal">): Promise<string | undefined> {
  const [{ goProxyOfDownload }, { readHost }] = await Promise.all([
    import("../builder/inputs/go-download.ts"),
    import("../builder/host.ts"),
  ]);
  const [store, http] = await Promise.all([deps.store(), deps.http()]);
  const asked = goProxyOfDownload({ store, http, host: readHost().platform, signal: deps.signal });
  return asked.catch(() => undefined); // whoever needs a proxy says that there is none
}
