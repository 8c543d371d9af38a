import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, readdir, readlink, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeDebianRootfs } from "../../../builder/inputs/debian-rootfs.ts";
import { INPUT_TIME } from "../../../builder/inputs/module-tree.ts";
import { digestRootfs, makeRootfs, rootfsTree } from "../../../builder/inputs/rootfs.ts";
import { runProcess } from "../../../builder/process.ts";
import { openStore } from "../../../builder/store/store.ts";
import { makeDeb, type DebEntry } from "../../support/deb-maker.ts";
import { storePackages } from "../../support/debian-store.ts";
import { openPlace } from "../../support/place.ts";

type Packages = Readonly<Record<string, readonly DebEntry[] | Buffer>>;

async function laying<T>(packages: Packages, look: (dir: string, outside: string) => Promise<T>): Promise<T> {
  await using place = await openPlace();
  const dir = join(place.dir, "rootfs");
  await mkdir(dir);
  await makeDebianRootfs(place.store, await storePackages(place.store, packages), dir);
  return await look(dir, place.dir);
}

const gcc: readonly DebEntry[] = [
  { path: "./usr/bin/gcc-12", text: "gcc", mode: 0o755 },
  { path: "./usr/bin/gcc", type: "SymbolicLink", linkpath: "gcc-12" },
  { path: "./usr/lib/gcc/cc1", text: "compiles", mode: 0o755 },
];
const libc: readonly DebEntry[] = [
  { path: "./lib/x86_64-linux-gnu/libc.so.6", text: "libc" },
  { path: "./lib64/ld-linux-x86-64.so.2", type: "SymbolicLink", linkpath: "/lib/x86_64-linux-gnu/ld.so" },
];

describe("a compiler's root file system", () => {
  it("is the packages over each other, with Debian's links and nothing else", async () => {
    await laying({ gcc, libc }, async (dir) => {
      expect((await readdir(dir)).toSorted()).toEqual(["bin", "lib", "lib64", "usr"]);
      for (const name of ["bin", "lib", "lib64"]) expect(await readlink(join(dir, name))).toBe(`usr/${name}`);
      expect(await readFile(join(dir, "usr/lib/x86_64-linux-gnu/libc.so.6"), "utf8")).toBe("libc");
      expect(await readFile(join(dir, "usr/lib/gcc/cc1"), "utf8")).toBe("compiles");
      expect(await readlink(join(dir, "usr/bin/cc"))).toBe("gcc");
      expect(existsSync(join(dir, "usr/bin/c++"))).toBe(false);
    });
  });

  it("takes clang for cc where there is no gcc, and leaves a cc that a package brings", async () => {
    const clang: DebEntry[] = [{ path: "./usr/bin/clang" }, { path: "./usr/bin/clang++" }];
    await laying({ clang }, async (dir) => {
      expect(await readlink(join(dir, "usr/bin/cc"))).toBe("clang");
      expect(await readlink(join(dir, "usr/bin/c++"))).toBe("clang++");
    });
    await laying({ gcc, own: [{ path: "./usr/bin/cc", text: "its own" }] }, async (dir) => {
      expect(await readFile(join(dir, "usr/bin/cc"), "utf8")).toBe("its own");
    });
  });

  it("has a file once that two packages have with the same bytes", async () => {
    const shared: DebEntry = { path: "./usr/include/shared.h", text: "same" };
    await laying({ one: [shared], other: [shared, { path: "./usr/include/b.h" }] }, async (dir) => {
      expect((await readdir(join(dir, "usr/include"))).toSorted()).toEqual(["b.h", "shared.h"]);
    });
  });

  it.each([
    ["other bytes", { path: "./usr/include/x.h", text: "1" }, { path: "./usr/include/x.h", text: "2" }],
    ["another mode", { path: "./usr/include/x.h", mode: 0o755 }, { path: "./usr/include/x.h" }],
    [
      "another link",
      { path: "./usr/x", type: "SymbolicLink", linkpath: "a" },
      { path: "./usr/x", type: "SymbolicLink", linkpath: "b" },
    ],
    ["a file and a directory", { path: "./usr/x" }, { path: "./usr/x/y" }],
    ["a link and a file", { path: "./usr/x", type: "SymbolicLink", linkpath: "y" }, { path: "./usr/x" }],
  ] satisfies readonly (readonly [string, DebEntry, DebEntry])[])(
    "is refused, and both packages named, for %s at one place",
    async (_what, first, second) => {
      for (const packages of [
        { first: [first], second: [second] },
        { first: [second], second: [first] },
      ])
        await expect(laying(packages, async () => {})).rejects.toMatchObject({
          kind: "alarm",
          code: "PACKAGES_CLASH",
          message: expect.stringMatching(/^first and second both have usr\//),
        });
    },
  );

  it("is never written through one package's link by another, wherever the link leads", async () => {
    await using place = await openPlace();
    const outside = join(place.dir, "outside");
    await mkdir(join(outside, "deeper"), { recursive: true });
    const dir = join(place.dir, "rootfs");
    const file: DebEntry[] = [{ path: "./usr/lib/x/passwd", text: "owned" }];
    for (const target of [outside, "../../../outside", "/", "deeper/../../../../outside", "self", "."]) {
      const link: DebEntry[] = [
        { path: "./usr/lib/x", type: "SymbolicLink", linkpath: target },
        { path: "./usr/lib/self", type: "SymbolicLink", linkpath: outside },
      ];
      for (const packages of [
        { one: link, two: file },
        { one: file, two: link },
        { one: link, three: [{ path: "./usr/lib/x/", type: "Directory" }] satisfies DebEntry[], two: file },
      ]) {
        await mkdir(dir);
        const locked = await storePackages(place.store, packages);
        await expect(makeDebianRootfs(place.store, locked, dir)).rejects.toMatchObject({ code: "PACKAGES_CLASH" });
        expect(await readdir(outside, { recursive: true })).toEqual(["deeper"]);
        expect((await readdir(place.dir)).toSorted()).toEqual(["outside", "rootfs", "store"]);
        await runProcess(["rm", "-rf", dir], { env: { PATH: process.env["PATH"] ?? "" }, timeoutMs: 10_000 });
      }
    }
  });

  it("is refused with the name of the package that is unsafe, from either thread", async () => {
    const bad: DebEntry[] = [{ path: "./usr/../../escape" }];
    for (const packages of [{ bad, gcc, libc }, { bad }]) {
      await expect(laying(packages, async () => {})).rejects.toMatchObject({
        kind: "alarm",
        code: "ARCHIVE_UNSAFE",
        message: expect.stringMatching(/^package bad: .*escape/),
      });
    }
    const many = Object.fromEntries(
      Array.from({ length: 6 }, (_, index) => [`p${index}`, index % 2 === 0 ? bad : makeDeb([...gcc, ...bad])]),
    );
    await expect(laying(many, async () => {})).rejects.toMatchObject({ code: "ARCHIVE_UNSAFE" });
  });
});

describe("the store's tree of it", () => {
  const packages = { gcc, libc };

  it("has the same digest whatever the umask, is made once, and has the one time of all inputs", async () => {
    await using place = await openPlace();
    const locked = await storePackages(place.store, packages);
    const make = (dir: string) => makeDebianRootfs(place.store, locked, dir);
    const before = process.umask(0o077);
    const first = await makeRootfs(place.store, make);
    process.umask(before);
    await using second = await makeRootfs(place.store, make);
    expect(first.rootfs).toEqual(second.rootfs);
    expect(first.rootfs.files).toBe(3);
    await first.keep();
    const tree = await rootfsTree(place.store, first.rootfs, () => Promise.reject(new Error("made again")));
    for (const name of await readdir(tree, { recursive: true }))
      if (!(await readlink(join(tree, name)).catch(() => false)))
        expect((await stat(join(tree, name))).mtimeMs).toBe(INPUT_TIME * 1000);
  });

  it("is an alarm when it was changed, moved aside, and made again the next time", async () => {
    const changes: readonly ((tree: string) => Promise<void>)[] = [
      (tree) => writeFile(join(tree, "usr/lib/gcc/cc1"), "compileS"),
      (tree) => writeFile(join(tree, "usr/lib/gcc/more"), ""),
      (tree) => chmod(join(tree, "usr/lib/gcc/cc1"), 0o644),
      (tree) => chmod(join(tree, "usr/bin/gcc-12"), 0o4755),
      (tree) => chmod(join(tree, "usr/bin"), 0o777),
    ];
    for (const change of changes) {
      await using place = await openPlace();
      const locked = await storePackages(place.store, packages);
      const make = (dir: string) => makeDebianRootfs(place.store, locked, dir);
      const { rootfs } = await makeRootfs(place.store, make).then(async (made) => {
        await made.keep();
        return made;
      });
      const tree = await rootfsTree(place.store, rootfs, make);
      await change(tree);
      await utimes(join(tree, "usr/lib/gcc/cc1"), INPUT_TIME, INPUT_TIME);
      await expect(rootfsTree(place.store, rootfs, make)).rejects.toMatchObject({
        kind: "alarm",
        code: "STORE_DAMAGED",
      });
      expect(await readdir(join(place.store.root, "damaged"))).toHaveLength(1);
      expect(digestRootfs(await rootfsTree(place.store, rootfs, make))).toEqual(rootfs);
    }
  });

  it("is an alarm when the packages make another tree than the lock says, and nothing is kept", async () => {
    await using place = await openPlace();
    const [some, others] = [await storePackages(place.store, packages), await storePackages(place.store, { gcc })];
    await using made = await makeRootfs(place.store, (dir) => makeDebianRootfs(place.store, some, dir));
    await expect(
      rootfsTree(place.store, made.rootfs, (dir) => makeDebianRootfs(place.store, others, dir)),
    ).rejects.toMatchObject({ kind: "alarm", code: "DIGEST_MISMATCH" });
    expect(await readdir(join(place.store.root, "trees"))).toEqual([]);
  });

  it("is an alarm when a stored package has another bit, and that one is moved aside", async () => {
    await using place = await openPlace();
    const locked = await storePackages(place.store, packages);
    const [first] = locked;
    if (first === undefined) throw new Error("no package");
    const path = join(place.store.root, "sha256", first.sha256.slice(0, 2), first.sha256);
    const bytes = await readFile(path);
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    await chmod(path, 0o644);
    await writeFile(path, bytes);
    await expect(makeRootfs(place.store, (dir) => makeDebianRootfs(place.store, locked, dir))).rejects.toMatchObject({
      kind: "alarm",
      code: "STORE_DAMAGED",
    });
    expect(await readdir(join(place.store.root, "tmp"))).toEqual([]);
  });

  it("is the world's fault when the disk is full in the middle, and leaves the store as it was", async (context) => {
    if (process.getuid?.() !== 0) context.skip("only root can mount a small disk");
    await using place = await openPlace();
    const small = join(place.dir, "small");
    await mkdir(small);
    const env = { PATH: process.env["PATH"] ?? "" };
    const mounted = await runProcess(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], {
      env,
      timeoutMs: 10_000,
    });
    if (mounted.code !== 0) context.skip(`no small disk can be mounted here: ${mounted.stderr.trim()}`);
    try {
      const store = await openStore(join(small, "store"));
      const large = Array.from({ length: 8 }, (_, index) => ({
        path: `./usr/lib/${index}`,
        bytes: Buffer.alloc(1 << 20),
      }));
      const locked = await storePackages(store, { large, libc });
      const making = makeRootfs(store, (dir) => makeDebianRootfs(store, locked, dir));
      await expect(making).rejects.toMatchObject({ kind: "world", code: "DISK_FULL" });
      expect(await readdir(join(store.root, "tmp"))).toEqual([]);
      expect(await readdir(join(store.root, "trees"))).toEqual([]);
      const [, rest] = locked;
      if (rest === undefined) throw new Error("no package");
      await using made = await makeRootfs(store, (dir) => makeDebianRootfs(store, [rest], dir));
      expect(made.rootfs.files).toBe(1);
    } finally {
      await runProcess(["umount", small], { env, timeoutMs: 10_000 });
    }
  });
});
