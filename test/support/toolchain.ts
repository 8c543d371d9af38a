import { mkdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { stateRootOf } from "../../cli/deps.ts";
import { createHttp } from "../../builder/http.ts";
import { fetchInputs } from "../../builder/inputs/fetch.ts";
import { proxiesFrom } from "../../builder/inputs/go-proxy.ts";
import { toolchainTree } from "../../builder/inputs/go-toolchain.ts";
import { readHost } from "../../builder/host.ts";
import { runProcess } from "../../builder/process.ts";
import { lockSchema, type Lock } from "../../builder/recipe/lock.ts";
import { openStore, type Store } from "../../builder/store/store.ts";

/** The real pinned toolchain of a lock in the tree, through the real store, for tests that run Go. */
export type TestToolchain = { readonly store: Store; readonly goroot: string; readonly lock: Lock };

export const repository = join(import.meta.dirname, "../..");

/** The user's own store, so that a machine fetches the toolchain once. */
export function testStoreRoot(): string {
  return process.env["TWINSEAL_CACHE"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "twinseal");
}

/** The user's own, so that a machine builds the helper program once. */
export function testHelperDir(): string {
  return join(stateRootOf(process.env), "inside");
}

export async function testProxies(): Promise<readonly string[]> {
  return proxiesFrom(process.env["GOPROXY"] === undefined ? {} : { GOPROXY: process.env["GOPROXY"] }, async () => {
    try {
      const result = await runProcess(["go", "env", "GOPROXY"], {
        env: { PATH: process.env["PATH"] ?? "", HOME: homedir() },
        timeoutMs: 10_000,
      });
      return result.code === 0 ? result.stdout.trim() : undefined;
    } catch {
      return undefined;
    }
  });
}

export async function readLock(name: string, version: string): Promise<Lock> {
  return lockSchema.parse(
    JSON.parse(await readFile(join(repository, "manifests", name, `${version}.lock.json`), "utf8")),
  );
}

/** Fetches node_exporter's pinned toolchain (not its modules) and returns its tree. */
export async function openToolchain(): Promise<TestToolchain> {
  const lock: Lock = {
    ...(await readLock("node_exporter", "1.12.1")),
    modules: [],
    files: [],
    source: { kind: "path", path: "." },
  };
  await mkdir(testStoreRoot(), { recursive: true });
  const store = await openStore(testStoreRoot());
  const host = readHost().platform;
  await fetchInputs(lock, {
    store,
    http: createHttp(),
    proxies: testProxies,
    debianMirrors: async () => [],
    host,
    offline: false,
    gitEnv: {},
  });
  const toolchain = lock.go.toolchains.find((one) => one.host === host);
  if (toolchain === undefined) throw new Error(`the lock has no toolchain for ${host}`);
  return { store, goroot: await toolchainTree(store, toolchain), lock };
}
