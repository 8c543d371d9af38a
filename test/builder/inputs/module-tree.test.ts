import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sha256Of } from "../../../builder/digest.ts";
import { h1Of } from "../../../builder/inputs/h1.ts";
import { toolchainTree } from "../../../builder/inputs/go-toolchain.ts";
import { offerModules } from "../../../builder/inputs/go-modules.ts";
import { INPUT_TIME, moduleTree, type ZippedModule } from "../../../builder/inputs/module-tree.ts";
import { placeFiles } from "../../../builder/inputs/files.ts";
import { blobPath, putBlob, type Store } from "../../../builder/store/store.ts";
import type { LockedFile } from "../../../builder/recipe/lock.ts";
import { openPlace } from "../../support/place.ts";
import { makeZip } from "../../support/zip-maker.ts";

const files = { "go.mod": "module x\n", "a/b.go": "package a\n" };

async function* once(bytes: Buffer) {
  yield await Promise.resolve(bytes);
}

async function storeModule(store: Store): Promise<ZippedModule> {
  const [path, version] = ["example.test/x", "v1.0.0"];
  const parts = Object.entries(files).map(([name, text]) => ({
    name: `${path}@${version}/${name}`,
    bytes: Buffer.from(text),
  }));
  const zip = await putBlob(store, once(makeZip(parts)), undefined, { maxBytes: 1e6 });
  const digests = parts.map(({ name, bytes }) => ({ name, sha256: createHash("sha256").update(bytes).digest("hex") }));
  return { path, version, h1: h1Of(digests), zip };
}

describe("a module's tree in the store", () => {
  it("is extracted once, and read again byte by byte", async () => {
    await using place = await openPlace();
    const module = await storeModule(place.store);
    const tree = await moduleTree(place.store, module);
    expect(await readFile(join(tree, "a/b.go"), "utf8")).toBe("package a\n");
    expect(await moduleTree(place.store, module)).toBe(tree);
  });

  it("says nothing of when it was fetched: every time is the same fixed one, and is set again when it is another", async () => {
    await using place = await openPlace();
    const module = await storeModule(place.store);
    const tree = await moduleTree(place.store, module);
    const times = async () =>
      Promise.all(["", "a", "go.mod", "a/b.go"].map(async (name) => (await stat(join(tree, name))).mtimeMs / 1000));
    expect(await times()).toEqual(Array.from({ length: 4 }, () => INPUT_TIME));
    await utimes(join(tree, "go.mod"), 1, 1);
    await utimes(tree, 1, 1);
    await moduleTree(place.store, module);
    expect(await times()).toEqual(Array.from({ length: 4 }, () => INPUT_TIME));
    const dir = join(place.dir, "proxy");
    const zip = { ...module.zip, sizeBytes: 1, h1: module.h1 };
    await offerModules(place.store, [{ path: module.path, version: module.version, goMod: zip, zip }], dir);
    for (const name of ["", ...(await readdir(dir, { recursive: true }))])
      expect((await stat(join(dir, name))).mtimeMs / 1000, name).toBe(INPUT_TIME);
  });

  it.each([
    ["a byte", (tree: string) => writeFile(join(tree, "a/b.go"), "package b\n"), "its files have h1:"],
    ["a file more", (tree: string) => writeFile(join(tree, "a/c.go"), "package a\n"), "its files have h1:"],
    ["a file less", (tree: string) => rm(join(tree, "go.mod")), "its files have h1:"],
    ["a mode", (tree: string) => chmod(join(tree, "go.mod"), 0o755), "go.mod has another mode"],
    ["an empty directory", (tree: string) => mkdir(join(tree, "a/vendor")), "a/vendor/ is an empty directory"],
  ])(
    "is an alarm that names it, is moved aside and extracted again when it differs by %s",
    async (_what, spoil, why) => {
      await using place = await openPlace();
      const module = await storeModule(place.store);
      await spoil(await moduleTree(place.store, module));
      await expect(moduleTree(place.store, module)).rejects.toMatchObject({
        kind: "alarm",
        code: "STORE_DAMAGED",
        message: expect.stringMatching(new RegExp(`example.test/x@v1.0.0.*${why}`)),
      });
      expect(await readdir(join(place.store.root, "damaged"))).toHaveLength(1);
      expect(await readFile(join(await moduleTree(place.store, module), "a/b.go"), "utf8")).toBe("package a\n");
    },
  );

  it("is never made from a zip that has another h1 than the lock", async () => {
    await using place = await openPlace();
    const module = { ...(await storeModule(place.store)), h1: h1Of([]) };
    await expect(moduleTree(place.store, module)).rejects.toMatchObject({ kind: "alarm", code: "DIGEST_MISMATCH" });
    expect(await readdir(join(place.store.root, "trees"))).toEqual([]);
  });
});

describe("a toolchain's tree", () => {
  it("has the names and modes that Go gives it, and is damaged with those that only its zip has", async () => {
    await using place = await openPlace();
    const version = "v0.0.1-go1.2.3.linux-amd64";
    const names = ["_go.mod", "bin/go", "src/cmd/_go.mod", "src/x.go"].map(
      (name) => `golang.org/toolchain@${version}/${name}`,
    );
    const bytes = makeZip(names.map((name) => ({ name, bytes: Buffer.from(name) })));
    const zip = await putBlob(place.store, once(bytes), undefined, { maxBytes: 1e6 });
    const h1 = h1Of(names.map((name) => ({ name, sha256: createHash("sha256").update(name).digest("hex") })));
    const toolchain = { host: "linux/amd64", version, h1, zip } as const;
    const tree = await toolchainTree(place.store, toolchain);
    expect((await readdir(tree, { recursive: true })).filter((name) => name.endsWith("go.mod")).toSorted()).toEqual([
      "go.mod",
      "src/cmd/go.mod",
    ]);
    expect((await stat(join(tree, "bin/go"))).mode & 0o777).toBe(0o755);
    await rename(join(tree, "src/cmd/go.mod"), join(tree, "src/cmd/_go.mod"));
    await expect(toolchainTree(place.store, toolchain)).rejects.toMatchObject({
      code: "STORE_DAMAGED",
      message: expect.stringContaining("src/cmd/_go.mod has a name that only the zip has"),
    });
  });
});

describe("prefetched files", () => {
  it("never replace a file of the source", async () => {
    await using place = await openPlace();
    const dir = join(place.dir, "source");
    await mkdir(dir);
    await writeFile(join(dir, "main.go"), "package main\n");
    const blob = await putBlob(place.store, once(Buffer.from("other")), undefined, { maxBytes: 10 });
    const file = { ...blob, url: "https://example.test/x", to: "main.go" };
    const where = { sourceDir: dir, filesDir: join(place.dir, "files"), rootfsDir: undefined };
    const placed = placeFiles([file], [], [], place.store, where);
    await expect(placed).rejects.toMatchObject({ kind: "caller", code: "PATH_TAKEN" });
    expect(await readFile(join(dir, "main.go"), "utf8")).toBe("package main\n");
  });

  it("are refused by name when another of the same name was put in their place", async () => {
    await using place = await openPlace();
    const { path, version, zip } = await storeModule(place.store);
    const sha256 = sha256Of("another");
    const h1 = h1Of([]);
    const blob = { ...zip, sizeBytes: 1, h1 };
    const module = { path, version, goMod: blob, zip: blob };
    const where = { sourceDir: place.dir, filesDir: join(place.dir, "files"), rootfsDir: undefined };
    const put = (file: LockedFile) => placeFiles([file], [], [module], place.store, where);
    await expect(
      put({ module: path, version, path: "a/b.go", sha256, sizeBytes: 7, to: "libx.a" }),
    ).rejects.toMatchObject({
      kind: "alarm",
      code: "DIGEST_MISMATCH",
      message: expect.stringContaining("a/b.go of example.test/x"),
    });
    const archive = await putBlob(place.store, once(Buffer.from("archive")), undefined, { maxBytes: 10 });
    await chmod(blobPath(place.store, archive.sha256), 0o644);
    await writeFile(blobPath(place.store, archive.sha256), "another");
    await expect(put({ ...archive, url: "https://example.test/libx.a", to: "libx.a" })).rejects.toMatchObject({
      kind: "alarm",
      code: "STORE_DAMAGED",
      message: expect.stringContaining(archive.sha256),
    });
    expect(await readdir(place.dir)).not.toContain("libx.a");
  });
});
