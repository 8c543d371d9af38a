import { randomUUID } from "node:crypto";
import { mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plainSpec } from "../../../builder/sandbox/plain-spec.ts";
import { digestFile } from "../../../builder/digest.ts";
import { makeDebianRootfs } from "../../../builder/inputs/debian-rootfs.ts";
import { rootfsTree } from "../../../builder/inputs/rootfs.ts";
import type { LockedDebian } from "../../../builder/recipe/lock.ts";
import type { SandboxDriver, SandboxSpec } from "../../../builder/sandbox/driver.ts";
import { createNamespacesDriver } from "../../../builder/sandbox/namespaces.ts";
import { trySudo } from "../../../builder/sandbox/preflight.ts";
import { hostSuite, lackOfCompiler, pinCompiler } from "../../support/compiler.ts";
import { openPlace, type Place } from "../../support/place.ts";
import { openToolchain, repository, type TestToolchain } from "../../support/toolchain.ts";
import { openTwinBench, type TwinBench } from "../../support/twin.ts";

let toolchain: TestToolchain;
let bench: TwinBench;
beforeAll(async () => {
  toolchain = await openToolchain();
  bench = await openTwinBench(toolchain, []);
});
afterAll(async () => bench?.[Symbol.asyncDispose]());

type Ran = { readonly exits: readonly (number | undefined)[]; readonly printed: string; readonly resultDir: string };

async function runInside(
  place: Place,
  spec: Pick<SandboxSpec, "rootfs" | "steps"> & Partial<SandboxSpec>,
  driver: SandboxDriver = bench.drivers.a,
): Promise<Ran> {
  const workDir = join(place.dir, randomUUID());
  await mkdir(workDir);
  const resultDir = join(workDir, "result");
  const exits: (number | undefined)[] = [];
  let printed = "";
  await driver.run(
    {
      ...plainSpec(resultDir),
      scratchBytes: 512 * 1024 ** 2,
      source: {
        from: join(repository, "test/support/fixtures/compiler"),
        to: "/build/source",
        reverseOrder: false,
        timeSeconds: 0,
        readOnly: true,
      },
      writable: ["/home/build", "/tmp"],
      files: [{ path: "/home/build/.settings/one", text: "on" }],
      outputs: ["hello"],
      maxOutputBytes: 1 << 24,
      ...spec,
    },
    {
      workDir,
      timeoutMs: 120_000,
      onEvent: (event) => {
        if (event.event === "output") printed += event.text;
        if (event.event === "exit") exits.push(event.exit);
      },
    },
  );
  return { exits, printed, resultDir };
}

const step = (id: string, argv: readonly string[]) => ({
  id,
  argv,
  env: ["PATH=/usr/bin", "HOME=/home/build", "TMPDIR=/tmp"],
  dir: "/build/source",
  fresh: [],
  graph: "",
});

describe("a C compiler of the host's own Debian mirror", () => {
  let locked: LockedDebian;
  let lack: string | undefined;
  beforeAll(async () => {
    lack = await lackOfCompiler();
    if (lack === undefined) locked = await pinCompiler(toolchain.store, await hostSuite(), ["gcc", "libc6-dev"]);
  }, 600_000);

  it("compiles in the sandbox, where nothing of the host's /usr is to be seen, and both times the same", async (context) => {
    if (lack !== undefined) context.skip(lack);
    await using place = await openPlace();
    const rootfs = await rootfsTree(toolchain.store, locked.rootfs, (dir) =>
      makeDebianRootfs(toolchain.store, locked.packages, dir),
    );
    expect((await readdir(rootfs)).every((name) => ["bin", "lib", "lib64", "sbin", "usr"].includes(name))).toBe(true);
    const seen = [
      "/usr/bin/cc",
      "/bin/gcc",
      "/usr/bin/apt-get",
      "/etc/passwd",
      "/usr/share/doc",
      "/home/build/.settings/one",
    ];
    const steps = [
      step("compile", ["/usr/bin/cc", "-O2", "-g", "-Wall", "-Werror", "-o", "/result/hello", "hello.c"]),
      step("run", ["/result/hello", ...seen]),
    ];
    const first = await runInside(place, { rootfs, steps });
    expect(first.exits, first.printed).toEqual([0, 0]);
    expect(first.printed).toContain("/usr/bin/cc there\n/bin/gcc there\n");
    expect(first.printed).toContain("/usr/bin/apt-get missing\n/etc/passwd missing\n/usr/share/doc missing\n");
    expect(first.printed).toContain("/home/build/.settings/one there\n");
    for (const path of ["/usr/bin/new", "/new", "/usr/bin/gcc"])
      expect(first.printed).toMatch(new RegExp(`writing ${path}: (Read-only file system|Permission denied)`));
    expect(first.printed).toContain("mount ");
    expect(first.printed).not.toContain(toolchain.store.root);
    expect(first.printed).not.toContain(place.dir);
    const second = await runInside(place, {
      rootfs,
      steps,
      umask: 0o077,
      uid: 4242,
      firstPid: 23_000,
      fixedAddresses: true,
      writable: ["/home/other", "/tmp"],
      files: [],
    });
    const digests = await Promise.all(
      [first, second].map(async ({ resultDir }) => (await digestFile(join(resultDir, "hello"))).sha256),
    );
    expect(new Set(digests).size).toBe(1);
    // What the sandbox wrote went nowhere near the tree.
    await rootfsTree(toolchain.store, locked.rootfs, () => Promise.reject(new Error("it was changed")));
  });
});

it("the way through sudo has it too, and refuses the same link", async (context) => {
  const lack = await lackOfCompiler();
  if (lack !== undefined) context.skip(lack);
  const tried = await trySudo();
  if (tried.code !== 0) context.skip(`sudo without a password does not work here: ${tried.stderr.trim()}`);
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const access = { through: "sudo", uid, gid, timeNamespace: false } as const;
  const driver = createNamespacesDriver(bench.program, access, bench.drivers.a.tools);
  await using place = await openPlace();
  const { rootfs: locked } = await pinCompiler(toolchain.store, await hostSuite(), ["gcc", "libc6-dev"]);
  const rootfs = await rootfsTree(toolchain.store, locked, () => Promise.reject(new Error("it is there")));
  const steps = [
    step("compile", ["/usr/bin/cc", "-o", "/result/hello", "hello.c"]),
    step("run", ["/result/hello", "/usr/bin/apt-get"]),
  ];
  const ran = await runInside(place, { rootfs, steps }, driver);
  expect(ran.exits, ran.printed).toEqual([0, 0]);
  expect(ran.printed).toContain("/usr/bin/apt-get missing");
  expect(ran.printed).not.toContain(toolchain.store.root);
  await symlink("/etc", join(place.dir, "tmp"));
  await expect(runInside(place, { rootfs: place.dir, steps }, driver)).rejects.toMatchObject({ code: "ROOTFS_UNFIT" });
});

describe("a root file system that is hostile", () => {
  it.each(["home", "tmp", "dev", "proc", "build", ".scratch"])(
    "is refused when its /%s is a link to the host, and nothing is written there",
    async (name) => {
      await using place = await openPlace();
      const [rootfs, outside] = [join(place.dir, "rootfs"), join(place.dir, "outside")];
      for (const dir of [rootfs, outside, join(outside, "build"), join(outside, "source")]) await mkdir(dir);
      await symlink(outside, join(rootfs, name));
      await expect(runInside(place, { rootfs, steps: [step("probe", ["inside", "probe"])] })).rejects.toMatchObject({
        kind: "caller",
        code: "ROOTFS_UNFIT",
        message: expect.stringContaining(`/${name}`),
      });
      expect((await readdir(outside, { recursive: true })).toSorted()).toEqual(["build", "source"]);
    },
  );

  it("is refused when it has files where an input goes", async () => {
    await using place = await openPlace();
    const rootfs = join(place.dir, "rootfs");
    await mkdir(join(rootfs, "opt/go"), { recursive: true });
    await writeFile(join(rootfs, "opt/go/VERSION"), "another");
    const binds = [{ from: toolchain.goroot, to: "/opt/go" }];
    await expect(
      runInside(place, { rootfs, binds, steps: [step("probe", ["inside", "probe"])] }),
    ).rejects.toMatchObject({
      code: "ROOTFS_UNFIT",
    });
    expect(await readFile(join(rootfs, "opt/go/VERSION"), "utf8")).toBe("another");
  });
});
