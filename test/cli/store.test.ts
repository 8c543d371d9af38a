import { appendFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { canonicalJsonText } from "../../builder/canonical-json.ts";
import { blobPath, openStore } from "../../builder/store/store.ts";
import { openModuleServer } from "../support/module-server.ts";
import { openProject, projectRecipe } from "../support/project.ts";
import { moduleFiles, sampleLock, sampleModule } from "../support/sample-lock.ts";
import { parseRecipe, recipeSha256 } from "../../builder/recipe/load.ts";
import { readHost } from "../../builder/host.ts";

const modules = [sampleModule("one", 50_000), sampleModule("two", 1000)];

describe("twinseal fetch and store", () => {
  it("fetch, verify and collect: damage is exit 4 and mended by the next fetch, garbage goes, the rest stays", async () => {
    const text = (await projectRecipe()).replace("name: tiny", "name: sample");
    const cache = await mkdtemp(join(tmpdir(), "twinseal-cache-"));
    await using server = await openModuleServer(moduleFiles(modules));
    await using project = await openProject({ "twinseal.yaml": text });
    const lock = { ...sampleLock(modules), recipe: { sha256: recipeSha256(parseRecipe(text, "twinseal.yaml")) } };
    const [toolchain] = lock.go.toolchains;
    if (toolchain === undefined) throw new Error("no toolchain");
    // A host that nobody has here needs no toolchain: only the modules are fetched.
    if (readHost().platform === toolchain.host) toolchain.host = "linux/amd64";
    await writeFile(join(project.dir, "twinseal.lock.json"), canonicalJsonText(lock));
    const run = (...argv: string[]) => project.run(argv, { TWINSEAL_CACHE: cache, GOPROXY: server.url });
    try {
      expect((await run("fetch", "--offline")).code).toBe(3);
      const fetched = await run("fetch");
      expect(fetched.code, fetched.stderr).toBe(0);
      expect((await run("fetch", "--offline", "--json")).stdout).toContain('"code": "fetched"');
      expect((await run("store", "verify")).code).toBe(0);

      const store = await openStore(cache);
      const sha256 = lock.modules[0]?.zip?.sha256;
      if (sha256 === undefined) throw new Error("no zip");
      await appendFile(blobPath(store, sha256), "!");
      const damaged = await run("store", "verify", "--json");
      expect(damaged.code).toBe(4);
      expect(damaged.stdout).toContain(sha256);
      expect((await run("fetch", "--offline")).code).toBe(3);
      expect((await run("fetch")).code).toBe(0);
      expect((await run("store", "verify")).code).toBe(0);

      await mkdir(join(cache, "sha256", "00"), { recursive: true });
      await writeFile(join(cache, "sha256", "00", "0".repeat(64)), "unneeded");
      const dry = await run("store", "gc", "--dry-run");
      expect(dry.stderr).toContain("would remove 1 entries");
      expect((await run("store", "gc")).code).toBe(0);
      expect(await readdir(join(cache, "sha256", "00"))).toEqual([]);
      expect((await run("fetch", "--offline")).code).toBe(0);
      expect((await run("store", "path")).stdout.trim()).toBe(cache);
    } finally {
      await rm(cache, { recursive: true, force: true });
    }
  });
});
