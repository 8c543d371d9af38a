import { lstat, mkdir, readFile, readdir, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import { extractDeb } from "../../../builder/inputs/deb-package.ts";
import { runProcess } from "../../../builder/process.ts";
import { makeAr, makeDeb, makeTar, type DebEntry } from "../../support/deb-maker.ts";
import { openPlace } from "../../support/place.ts";

type Extracted = { readonly dir: string; readonly names: readonly string[]; readonly unpackedBytes: number };
type Limits = Parameters<typeof extractDeb>[2];

async function extracting<T>(deb: Buffer, look: (extracted: Extracted) => Promise<T> | T, limits?: Limits): Promise<T> {
  await using place = await openPlace();
  const [path, dir] = [join(place.dir, "x.deb"), join(place.dir, "out")];
  await writeFile(path, deb);
  await mkdir(dir);
  const unpackedBytes = await extractDeb(path, dir, limits);
  return await look({ dir, unpackedBytes, names: (await readdir(dir, { recursive: true })).toSorted() });
}

/** Fails as said, and whatever was written lies in the directory. */
async function expectRefusal(deb: Buffer, named: string, limits?: Limits): Promise<void> {
  await expect(extracting(deb, () => {}, limits)).rejects.toMatchObject({
    kind: "alarm",
    code: "ARCHIVE_UNSAFE",
    message: expect.stringContaining(named),
  });
}

const compiler: readonly DebEntry[] = [
  { path: "./", type: "Directory" },
  { path: "./usr/", type: "Directory" },
  { path: "./usr/bin/", type: "Directory" },
  { path: "./usr/bin/gcc-12", text: "program", mode: 0o755 },
  { path: "./usr/bin/gcc", type: "SymbolicLink", linkpath: "gcc-12" },
  { path: "./usr/share/doc/gcc/copyright", text: "for people" },
];

async function xz(bytes: Buffer, context: TestContext): Promise<Buffer> {
  await using place = await openPlace();
  const path = join(place.dir, "data.tar");
  await writeFile(path, bytes);
  const packed = await runProcess(["xz", "-k", path], {
    env: { PATH: process.env["PATH"] ?? "" },
    timeoutMs: 60_000,
  }).catch(() => context.skip("no xz here to pack with"));
  expect(packed.code).toBe(0);
  return await readFile(`${path}.xz`);
}

const xzDeb = async (bytes: Buffer, context: TestContext, cutBytes = 0) =>
  makeAr([
    { name: "debian-binary", bytes: Buffer.from("2.0\n") },
    { name: "control.tar", bytes: makeTar([]) },
    { name: "data.tar.xz", bytes: (await xz(bytes, context)).subarray(0, cutBytes === 0 ? undefined : -cutBytes) },
  ]);

describe("a Debian package", () => {
  it.each(["none", "gz", "zst"] as const)("is extracted when its files are packed as %s", async (packing) => {
    await extracting(makeDeb(compiler, { packing }), async ({ dir, names }) => {
      expect(names).toEqual(["usr", "usr/bin", "usr/bin/gcc", "usr/bin/gcc-12"]);
      expect(await readFile(join(dir, "usr/bin/gcc-12"), "utf8")).toBe("program");
      expect(await readlink(join(dir, "usr/bin/gcc"))).toBe("gcc-12");
    });
  });

  it("is extracted when its files are packed as xz, many chunks long", async (context) => {
    const bytes = Buffer.alloc(3_000_001, "some text that is longer than a block, and not a power of two. ");
    const deb = await xzDeb(
      makeTar([
        { path: "./usr/lib/big", bytes },
        { path: "./usr/lib/small", text: "s" },
      ]),
      context,
    );
    await extracting(deb, async ({ dir }) => {
      expect((await readFile(join(dir, "usr/lib/big"))).equals(bytes)).toBe(true);
      expect(await readFile(join(dir, "usr/lib/small"), "utf8")).toBe("s");
    });
  });

  it("keeps of modes only whether it can be run, whatever the umask", async () => {
    const entries: DebEntry[] = [
      { path: "./usr/bin/su", mode: 0o4755 },
      { path: "./usr/bin/group", mode: 0o2711 },
      { path: "./usr/lib/secret", mode: 0o600 },
      { path: "./usr/lib/open/", type: "Directory", mode: 0o1777 },
    ];
    const before = process.umask(0o077);
    try {
      await extracting(makeDeb(entries), async ({ dir, names }) => {
        const modes = await Promise.all(names.map(async (name) => (await lstat(join(dir, name))).mode & 0o7777));
        expect(Object.fromEntries(names.map((name, index) => [name, modes[index]?.toString(8)]))).toEqual({
          usr: "755",
          "usr/bin": "755",
          "usr/bin/group": "755",
          "usr/bin/su": "755",
          "usr/lib": "755",
          "usr/lib/open": "755",
          "usr/lib/secret": "644",
        });
      });
    } finally {
      process.umask(before);
    }
  });

  it("goes to usr/ with what Debian merged into it, and leaves out what no compiler reads", async () => {
    const entries: DebEntry[] = [
      { path: "./bin/sh", text: "shell" },
      { path: "./lib/x86_64-linux-gnu/libc.so.6", text: "libc" },
      { path: "./lib64", type: "SymbolicLink", linkpath: "usr/lib64" },
      { path: "./etc/passwd", text: "root" },
      { path: "./var/lib/dpkg/info", text: "state" },
      { path: "./usr/share/man/man1/cc.1", text: "manual" },
      { path: "./usr/share/locale/tr/LC_MESSAGES/gcc.mo", text: "words" },
      { path: "./usr/share/perl/5/strict.pm", text: "perl" },
      { path: "./usr/bin/x86_64-linux-gnu-lto-dump-12", text: "large" },
    ];
    await extracting(makeDeb(entries), ({ names }) => {
      expect(names.filter((name) => /[^/]\.|sh$|passwd|info|dump|lib64/.test(name))).toEqual([
        "usr/bin/sh",
        "usr/lib/x86_64-linux-gnu/libc.so.6",
        "usr/share/perl/5/strict.pm",
      ]);
    });
  });

  it("may have names that differ only by case, inner hard links, and links to anywhere", async () => {
    const entries: DebEntry[] = [
      { path: "./usr/include/xt_MARK.h", text: "large" },
      { path: "./usr/include/xt_mark.h", text: "small" },
      { path: "./usr/include/again.h", type: "Link", linkpath: "./usr/include/xt_mark.h" },
      { path: "./usr/lib/out", type: "SymbolicLink", linkpath: "/etc/passwd" },
    ];
    await extracting(makeDeb(entries), async ({ dir }) => {
      expect(await readFile(join(dir, "usr/include/xt_MARK.h"), "utf8")).toBe("large");
      expect(await readFile(join(dir, "usr/include/again.h"), "utf8")).toBe("small");
      expect(await readlink(join(dir, "usr/lib/out"))).toBe("/etc/passwd");
    });
  });

  it.each([
    ["an escape", [{ path: "./usr/../../escape" }], "escape"],
    ["an absolute path", [{ path: "/usr/escape" }], "escape"],
    ["a name twice", [{ path: "./usr/a" }, { path: "./usr/a" }], "usr/a"],
    ["a name twice, once in usr", [{ path: "./lib/a" }, { path: "./usr/lib/a" }], "usr/lib/a"],
    ["a character device", [{ path: "./usr/null", type: "CharacterDevice" }], "usr/null"],
    ["a block device", [{ path: "./usr/disk", type: "BlockDevice" }], "usr/disk"],
    ["a pipe", [{ path: "./usr/pipe", type: "FIFO" }], "usr/pipe"],
    ["a device in a part that is left out", [{ path: "./dev/null", type: "CharacterDevice" }], "dev/null"],
    [
      "a file through a link to elsewhere",
      [{ path: "./usr/lib/x", type: "SymbolicLink", linkpath: "/nowhere" }, { path: "./usr/lib/x/passwd" }],
      "usr/lib/x",
    ],
    [
      "a directory where a link is",
      [
        { path: "./usr/lib/x", type: "SymbolicLink", linkpath: "/nowhere" },
        { path: "./usr/lib/x/", type: "Directory" },
      ],
      "usr/lib/x",
    ],
    [
      "a file over a link",
      [
        { path: "./usr/lib/x", type: "SymbolicLink", linkpath: "/nowhere/victim" },
        { path: "./usr/lib/x", text: "mine" },
      ],
      "usr/lib/x",
    ],
    [
      "a hard link out of the package",
      [{ path: "./usr/hard", type: "Link", linkpath: "../../etc/passwd" }],
      "etc/passwd",
    ],
    ["an absolute hard link", [{ path: "./usr/hard", type: "Link", linkpath: "/etc/passwd" }], "etc/passwd"],
    [
      "a hard link to what comes later",
      [{ path: "./usr/hard", type: "Link", linkpath: "./usr/a" }, { path: "./usr/a" }],
      "usr/hard",
    ],
    [
      "a hard link to a link",
      [
        { path: "./usr/soft", type: "SymbolicLink", linkpath: "/etc/passwd" },
        { path: "./usr/hard", type: "Link", linkpath: "./usr/soft" },
      ],
      "usr/hard",
    ],
    ["a name that is not UTF-8", [{ path: "./usr/\uFFFD" }], "usr/"],
  ] satisfies readonly (readonly [string, readonly DebEntry[], string])[])(
    "is refused with the entry's name: %s",
    async (_what, entries, named) => {
      await expectRefusal(makeDeb(entries), named);
    },
  );

  it("is refused when it unpacks to more than the limit, or to more entries", async () => {
    const limits = { maxBytes: 1 << 20, maxEntries: 10 };
    const bomb: DebEntry[] = [{ path: "./usr/bomb", bytes: Buffer.alloc(64 << 20) }];
    for (const packing of ["gz", "zst"] as const) await expectRefusal(makeDeb(bomb, { packing }), "usr/bomb", limits);
    const swarm = Array.from({ length: 11 }, (_, index): DebEntry => ({ path: `./usr/${index}` }));
    await expectRefusal(makeDeb(swarm), "usr/10", limits);
  });

  it("is refused when what it holds is packed twice", async () => {
    const inner = makeDeb(compiler, { packing: "gz" });
    const gz = inner.subarray(inner.indexOf("data.tar.gz") + 60);
    await expectRefusal(makeDeb([], { data: gz }), "packed twice");
  });

  it.each(["none", "gz", "zst"] as const)("is refused when it breaks off, packed as %s", async (packing) => {
    const whole = makeTar([{ path: "./usr/a", bytes: Buffer.alloc(5000, "a") }]);
    await expectRefusal(makeDeb([], { packing, data: whole.subarray(0, 3000) }), "breaks off");
    await expectRefusal(makeDeb([], { packing, data: whole.subarray(0, -1024) }), "breaks off");
    await expectRefusal(makeDeb([], { packing, data: Buffer.alloc(1) }), "breaks off");
    const text = Buffer.from("this is no tar at all, whatever it is. ".repeat(100));
    await expectRefusal(makeDeb([], { packing, data: text }), "cannot be read");
  });

  it("is refused when the end of its xz is missing", async (context) => {
    const bytes = Buffer.from(Array.from({ length: 30_000 }, (_, index) => (index * index) >> 3));
    const tar = makeTar([{ path: "./usr/a", bytes }]);
    for (const cutBytes of [1, 12, 40, 1000]) await expectRefusal(await xzDeb(tar, context, cutBytes), "");
  });

  it("is refused when the ar around it is damaged", async () => {
    const good = makeDeb(compiler);
    await expectRefusal(Buffer.from("!<arch>"), "not an ar");
    await expectRefusal(good.subarray(0, 100), "");
    await expectRefusal(good.subarray(0, -100), "ends before");
    await expectRefusal(makeAr([{ name: "data.tar", bytes: makeTar(compiler) }]), "where a Debian package begins");
    const [binary, control] = [
      { name: "debian-binary", bytes: Buffer.from("2.0\n") },
      { name: "control.tar", bytes: makeTar([]) },
    ];
    await expectRefusal(makeAr([binary, control]), "data.tar");
    await expectRefusal(makeAr([binary, control, { name: "data.tar.lzma", bytes: Buffer.from("x") }]), "data.tar.lzma");
    await expectRefusal(makeAr([binary, { ...control, statedBytes: 10 ** 9 }]), "control.tar");
    const many = Array.from({ length: 20 }, () => control);
    await expectRefusal(makeAr([binary, ...many]), "more than");
  });

  it("says what the disk says, when that is at fault", async () => {
    await using place = await openPlace();
    const path = join(place.dir, "x.deb");
    await writeFile(path, makeDeb(compiler));
    await expect(extractDeb(path, join(place.dir, "missing"))).rejects.toMatchObject({ code: "ENOENT" });
    expect((await stat(path)).isFile()).toBe(true);
  });
});
