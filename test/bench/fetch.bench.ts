import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toolchainTree } from "../../builder/inputs/go-toolchain.ts";
import { readHost } from "../../builder/host.ts";
import { runProcess } from "../../builder/process.ts";
import { openStore } from "../../builder/store/store.ts";
import { readLock, testProxies, testStoreRoot } from "../support/toolchain.ts";
import { median, type Figure } from "./figure.ts";
import { timed, twinseal } from "./timing.ts";

/**
 * `fetch` into a store that has only the toolchain, against `go mod download` of the same modules into an empty cache.
 * The checksum database is off for go: our lock has the digests already. Interleaved pairs.
 */
export async function benchFetch(name: string, version: string, pairs: number): Promise<Figure> {
  const dir = await mkdtemp(join(tmpdir(), "twinseal-bench-"));
  try {
    const lock = await readLock(name, version);
    const toolchain = lock.go.toolchains.find(({ host }) => host === readHost().platform);
    if (toolchain === undefined) throw new Error("no toolchain for this host");
    await twinseal(["fetch", `${name}@${version}`]);
    const goroot = await toolchainTree(await openStore(testStoreRoot()), toolchain);
    const modules = lock.modules
      .filter(({ zip }) => zip !== undefined)
      .map((module) => `${module.path}@${module.version}`);
    await mkdir(join(dir, "project"));
    await writeFile(join(dir, "project/go.mod"), `module example.test/bench\n\ngo ${lock.go.version}\n`);
    const ratios: number[] = [];
    const details: string[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      const ours = join(dir, `store-${pair}`);
      const blob = join("sha256", toolchain.zip.sha256.slice(0, 2));
      await mkdir(join(ours, blob), { recursive: true });
      await runProcess(["/bin/cp", join(testStoreRoot(), blob, toolchain.zip.sha256), join(ours, blob)], {
        env: {},
        timeoutMs: 60_000,
      });
      const oursMs = await timed(() => twinseal(["fetch", `${name}@${version}`], { TWINSEAL_CACHE: ours }));
      const theirs = join(dir, `modcache-${pair}`);
      const theirsMs = await timed(async () => {
        const result = await runProcess([join(goroot, "bin/go"), "mod", "download", ...modules], {
          cwd: join(dir, "project"),
          env: {
            HOME: dir,
            GOROOT: goroot,
            GOMODCACHE: theirs,
            GOPROXY: (await testProxies()).join(","),
            GOSUMDB: "off",
            GOFLAGS: "-modcacherw",
            GOTOOLCHAIN: "local",
            GOENV: "off",
            PATH: "/usr/bin:/bin",
          },
          timeoutMs: 600_000,
        });
        if (result.code !== 0) throw new Error(`go mod download: ${result.stderr}`);
      });
      ratios.push(oursMs / theirsMs);
      details.push(`${(oursMs / 1000).toFixed(2)}/${(theirsMs / 1000).toFixed(2)}`);
    }
    return {
      name: `fetch / go mod download, ${name} ${version}`,
      value: median(ratios),
      limit: 1.1,
      unit: "ratio",
      detail: details.join(" "),
    };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
