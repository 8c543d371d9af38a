import { createHash, randomBytes } from "node:crypto";
import { writeFile, readFile, mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { Header } from "tar";
import { describe, expect, it } from "vitest";
import { copySource } from "../../../builder/inputs/source.ts";
import { extractTar } from "../../../builder/inputs/tar.ts";
import { openZip } from "../../../builder/inputs/zip.ts";
import { putBlob } from "../../../builder/store/store.ts";
import { h1Of } from "../../../builder/inputs/h1.ts";
import { makeZip, type ZipPart } from "../../support/zip-maker.ts";
import { openPlace } from "../../support/place.ts";

const prefix = "example.test/x@v1.0.0/";

async function extractModule(parts: readonly ZipPart[], name = prefix): Promise<readonly string[]> {
  await using place = await openPlace();
  const bytes = makeZip(parts.map((part) => ({ ...part, name: `${name}${part.name}` })));
  async function* once() {
    yield await Promise.resolve(bytes);
  }
  const zip = await putBlob(place.store, once(), undefined, { maxBytes: 1e9 });
  const h1 = h1Of(
    parts.map((part) => ({
      name: `${name}${part.name}`,
      sha256: createHash("sha256")
        .update(part.bytes ?? "")
        .digest("hex"),
    })),
  );
  const dir = join(place.dir, "out");
  await copySource(
    { kind: "module", path: "example.test/x", version: "v1.0.0", h1, goModH1: h1, zip },
    { store: place.store, recipeDir: place.dir },
    dir,
  );
  return (await readdir(dir, { recursive: true })).toSorted();
}

describe("a module's zip", () => {
  it("is extracted as it is", async () => {
    expect(
      await extractModule([
        { name: "go.mod", bytes: Buffer.from("module x\n") },
        { name: "a/b.go", bytes: Buffer.from("package a\n") },
        { name: "large", bytes: randomBytes(5_000_001) },
      ]),
    ).toEqual(["a", "a/b.go", "go.mod", "large"]);
  });

  it.each([
    ["an escape", [{ name: "../../escape" }], "escape"],
    ["a hidden escape", [{ name: "a/../../../escape" }], "escape"],
    ["a backslash", [{ name: "a\\..\\b" }], "a\\\\..\\\\b"],
    ["a name twice", [{ name: "a.go" }, { name: "a.go" }], "occurs twice"],
    ["names that differ by case", [{ name: "a.go" }, { name: "A.go" }], "A.go"],
    ["directories that differ by case", [{ name: "d/a.go" }, { name: "D/b.go" }], "D/b.go"],
    ["a file that is also a directory", [{ name: "a" }, { name: "a/b" }], "both a file and a directory"],
    ["a symbolic link", [{ name: "link", bytes: Buffer.from("/etc/passwd"), mode: 0o120777 }], "link"],
    ["a device", [{ name: "null", mode: 0o020666 }], "null"],
    [
      "a bomb of 100 GB that says so",
      Array.from({ length: 26 }, (_, index) => ({ name: `bomb${index}`, statedBytes: 0xffff_fff0 })),
      "bomb",
    ],
    ["a bomb that lies about its size", [{ name: "bomb", bytes: Buffer.alloc(64 << 20), statedBytes: 10 }], "bomb"],
    ["an entry shorter than it says", [{ name: "short", bytes: Buffer.from("abc"), statedBytes: 1000 }], "short"],
    [
      "a large one shorter than it says",
      [{ name: "short", bytes: Buffer.alloc(2 << 20), statedBytes: 3 << 20 }],
      "short",
    ],
    ["a large one longer than it says", [{ name: "long", bytes: Buffer.alloc(3 << 20), statedBytes: 2 << 20 }], "long"],
    ["a large one of no bytes", [{ name: "none", statedBytes: 2 << 20 }], "none"],
  ] as const)("is refused with the entry's name: %s", async (_what, parts, named) => {
    await expect(extractModule(parts)).rejects.toMatchObject({
      kind: "alarm",
      code: "ARCHIVE_UNSAFE",
      message: expect.stringContaining(named),
    });
  });

  it("is refused when its entries are of another module", async () => {
    await expect(extractModule([{ name: "go.mod" }], "example.test/y@v1.0.0/")).rejects.toMatchObject({
      code: "ARCHIVE_UNSAFE",
    });
  });

  it("is refused when it is cut or no zip at all", async () => {
    await using place = await openPlace();
    const whole = makeZip([{ name: "a", bytes: Buffer.from("hello") }]);
    for (const bytes of [whole.subarray(0, -1), whole.subarray(20), Buffer.from("PK"), Buffer.alloc(100)]) {
      const path = join(place.dir, "x.zip");
      await writeFile(path, bytes);
      const read = async () => {
        await using zip = await openZip(path);
        for (const entry of zip.entries) await zip.read(entry);
      };
      await expect(read()).rejects.toMatchObject({ code: "ARCHIVE_UNSAFE" });
    }
  });
});

type TarPart = {
  readonly path: string;
  readonly type?: "File" | "SymbolicLink" | "Link" | "CharacterDevice";
  readonly linkpath?: string;
  readonly size?: number;
};

function makeTar(parts: readonly TarPart[]): Buffer {
  const blocks = parts.map(({ path, type = "File", linkpath, size = 0 }) => {
    const header = new Header({ path, type, size, mode: 0o644, ...(linkpath === undefined ? {} : { linkpath }) });
    const block = Buffer.alloc(512);
    header.encode(block, 0);
    return block;
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

describe("a tar", () => {
  it.each([
    ["an escape", [{ path: "../escape" }], "escape"],
    ["an absolute path", [{ path: "/etc/escape" }], "escape"],
    ["a link out of the tree", [{ path: "out", type: "SymbolicLink", linkpath: "../../etc/passwd" }], "out"],
    ["an absolute link", [{ path: "out", type: "SymbolicLink", linkpath: "/etc/passwd" }], "out"],
    ["a hard link", [{ path: "a" }, { path: "hard", type: "Link", linkpath: "a" }], "hard"],
    ["a device", [{ path: "null", type: "CharacterDevice" }], "null"],
    ["names that differ by case", [{ path: "a" }, { path: "A" }], "A"],
    ["a bomb of 100 GB", [{ path: "bomb", size: 100e9 }], "bomb"],
  ] as const)("is refused with the entry's name, and nothing is written: %s", async (_what, parts, named) => {
    await using place = await openPlace();
    const [path, dir] = [join(place.dir, "x.tar"), join(place.dir, "out")];
    await writeFile(path, makeTar(parts));
    await mkdir(dir);
    await expect(extractTar(path, dir)).rejects.toMatchObject({
      kind: "alarm",
      code: "ARCHIVE_UNSAFE",
      message: expect.stringContaining(named),
    });
    expect(await readdir(dir)).toEqual([]);
  });

  it("keeps a link that stays inside", async () => {
    await using place = await openPlace();
    const [path, dir] = [join(place.dir, "x.tar"), join(place.dir, "out")];
    await writeFile(
      path,
      makeTar([{ path: "a/file" }, { path: "a/link", type: "SymbolicLink", linkpath: "../a/file" }]),
    );
    await mkdir(dir);
    await extractTar(path, dir);
    expect(await readFile(join(dir, "a/link"), "utf8")).toBe("");
  });
});

describe("a local source", () => {
  it("is refused with a link out of the tree", async () => {
    await using place = await openPlace();
    await mkdir(join(place.dir, "project"));
    await symlink("/etc/passwd", join(place.dir, "project", "out"));
    const copied = copySource(
      { kind: "path", path: "project" },
      { store: place.store, recipeDir: place.dir },
      join(place.dir, "copy"),
    );
    await expect(copied).rejects.toMatchObject({
      kind: "caller",
      code: "SOURCE_UNSAFE",
      message: expect.stringContaining("out"),
    });
  });
});
