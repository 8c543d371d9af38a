import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plainSpec } from "../../../builder/sandbox/plain-spec.ts";
import { digestRootfs } from "../../../builder/inputs/rootfs.ts";
import { layRoot } from "../../../builder/sandbox/container-root.ts";
import type { SandboxSpec } from "../../../builder/sandbox/driver.ts";
import { engineNames, runEngine } from "../../../builder/sandbox/engine.ts";
import {
  IMAGE_NAME,
  listRootImages,
  removeRootImages,
  rootArchive,
  rootImage,
} from "../../../builder/sandbox/root-image.ts";
import { openEngine, type TestEngine } from "../../support/engines.ts";
import { openToolchain, type TestToolchain } from "../../support/toolchain.ts";
import { compileFixture, openTwinBench } from "../../support/twin.ts";

let toolchain: TestToolchain;
let dir = "";
let rootfs = "";
beforeAll(async () => {
  toolchain = await openToolchain();
  dir = await mkdtemp(join(tmpdir(), "twinseal-rootfs-"));
  rootfs = join(dir, "rootfs");
  // The shape of a distribution's: merged /usr, links beside mount points, directories that the sandbox mounts into.
  for (const below of [
    "usr/bin",
    "usr/local/share",
    "usr/lib",
    "etc/tool",
    "var/lib/tool",
    "opt",
    "home",
    "tmp",
    "srv/data",
  ])
    await mkdir(join(rootfs, below), { recursive: true, mode: 0o755 });
  await compileFixture(toolchain, "leak", join(rootfs, "usr/bin/leak"));
  await symlink("usr/bin", join(rootfs, "bin"));
  await symlink("share", join(rootfs, "usr/local/man"));
  await symlink("/usr/lib", join(rootfs, "var/lib/link"));
  await writeFile(join(rootfs, "etc/tool.conf"), "a setting\n", { mode: 0o644 });
  await writeFile(join(rootfs, "etc/hosts"), "10.0.0.1 elsewhere\n", { mode: 0o644 });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe("a rootfs directory as a container's root", () => {
  it("is bound child by child where the sandbox mounts something below, so that no engine makes a mount point in it", async () => {
    const spec = {
      rootfs,
      binds: [{ from: "/x", to: "/usr/local/go" }],
      source: { from: "", to: "/srv/tree", reverseOrder: false, timeSeconds: 0, readOnly: false },
      outputFrom: "/result",
      writable: ["/tmp", "/home/builder"],
      steps: [],
    };
    const { binds, links } = await layRoot(spec as unknown as SandboxSpec);
    expect(binds.map(({ to }) => to)).toEqual([
      "/etc/tool",
      "/etc/tool.conf",
      "/opt",
      "/srv/data",
      "/usr/bin",
      "/usr/lib",
      "/usr/local/share",
      "/var",
    ]);
    expect(links).toEqual([
      { path: "/bin", target: "usr/bin" },
      { path: "/usr/local/man", target: "share" },
    ]);
  });

  it("gives the same image for the same links, and another for others", () => {
    const one = rootArchive([{ path: "/bin", target: "usr/bin" }], "amd64");
    expect(rootArchive([{ path: "/bin", target: "usr/bin" }], "amd64").bytes.equals(one.bytes)).toBe(true);
    expect(rootArchive([{ path: "/bin", target: "usr/sbin" }], "amd64").layerId).not.toBe(one.layerId);
    expect(() => rootArchive([{ path: `/${"x".repeat(120)}`, target: "y" }], "amd64")).toThrow(/too long/);
  });
});

for (const name of engineNames) {
  describe(`under ${name}`, () => {
    let engine: TestEngine | string = "";
    beforeAll(async () => {
      engine = await openEngine(name);
    });
    afterAll(async () => {
      if (typeof engine !== "string") await engine[Symbol.asyncDispose]();
    });

    it("a build step finds its tools in the rootfs, by their links too, and the rootfs stays as it was", async (context) => {
      if (typeof engine === "string") return context.skip(engine);
      const before = digestRootfs(rootfs);
      const built = await Promise.all(
        ["namespaces", name].map(async (driver) => {
          const env = typeof engine === "string" ? {} : engine.env;
          await using bench = await openTwinBench(toolchain, [], { driver, env, rootfsDir: rootfs });
          const result = await bench.build({ before: ["/bin/leak", "leak.go", "nothing"] });
          expect((await result.comparison()).verdict).toBe("match");
          return result.runs.a.artifacts[0]?.sha256;
        }),
      );
      expect(built[1]).toBe(built[0]);
      expect(digestRootfs(rootfs)).toEqual(before);
    });

    it("an input that the container's user may not read is named before anything runs", async (context) => {
      if (typeof engine === "string") return context.skip(engine);
      if (engine.engine.rootless) return context.skip("without root the container's user is us");
      const closed = join(dir, `closed-${name}`);
      await mkdir(closed, { mode: 0o700 });
      await using bench = await openTwinBench(toolchain, [], { driver: name, env: engine.env, rootfsDir: rootfs });
      const run = bench.drivers.a.run(
        {
          ...plainSpec(join(dir, "result")),
          binds: [{ from: closed, to: "/in" }],
        },
        { workDir: dir, timeoutMs: 60_000, onEvent: () => {} },
      );
      await expect(run).rejects.toMatchObject({ code: "INPUT_UNREADABLE", message: expect.stringContaining(closed) });
    });

    it("an image of the same name with other content is not used, and gc finds them all", async (context) => {
      if (typeof engine === "string") return context.skip(engine);
      const links = [{ path: "/bin", target: "usr/bin" }];
      const id = await rootImage(engine.engine, links, process.arch);
      expect(await rootImage(engine.engine, links, process.arch)).toBe(id);
      const other = await rootImage(engine.engine, [{ path: "/bin", target: "evil" }], process.arch);
      expect(other).not.toBe(id);
      const { name: own } = rootArchive(links, process.arch === "x64" ? "amd64" : process.arch);
      const tagged = await runEngine(engine.engine, ["tag", other, own], { timeoutMs: 30_000 });
      expect(tagged.code, tagged.stderr).toBe(0);
      expect(own).toContain(IMAGE_NAME);
      expect(await rootImage(engine.engine, links, process.arch)).toBe(id);
      expect((await listRootImages(engine.engine)).length).toBeGreaterThan(0);
      await removeRootImages(engine.engine);
      expect(await listRootImages(engine.engine)).toEqual([]);
    });
  });
}
