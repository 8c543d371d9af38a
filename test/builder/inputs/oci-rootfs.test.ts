import { existsSync, lstatSync, readFileSync, readdirSync, readlinkSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { assert, asyncProperty, integer } from "fast-check";
import { describe, expect, it } from "vitest";
import { sha256Of } from "../../../builder/digest.ts";
import { layOutImage, type ImageLayer } from "../../../builder/inputs/oci-rootfs.ts";
import { digestRootfs } from "../../../builder/inputs/rootfs.ts";
import { openPlace } from "../../support/place.ts";
import {
  directory,
  file,
  hardlink,
  makeTar,
  opaque,
  symlink,
  whiteout,
  type MadeEntry,
} from "../../support/tar-maker.ts";

const plain = "application/vnd.oci.image.layer.v1.tar";

function layerOf(entries: readonly MadeEntry[], chunkBytes = 10_000): ImageLayer {
  const tar = makeTar(entries);
  const chunks = Array.from({ length: Math.ceil(tar.length / chunkBytes) }, (_, at) =>
    tar.subarray(at * chunkBytes, (at + 1) * chunkBytes),
  );
  return { open: () => Readable.from(chunks), mediaType: plain, diffId: sha256Of(tar) };
}

/** What is there afterwards: `path/` for a directory, `path -> target`, `path = text`, with a * where it can be run. */
async function layOut(...layers: (readonly MadeEntry[])[]): Promise<readonly string[]> {
  await using place = await openPlace();
  const dir = join(place.dir, "root");
  await mkdir(dir);
  await layOutImage(
    layers.map((entries) => layerOf(entries)),
    dir,
  );
  digestRootfs(dir);
  return treeOf(dir);
}

function treeOf(dir: string, below = ""): string[] {
  return readdirSync(dir)
    .toSorted()
    .flatMap((name) => {
      const path = join(dir, name);
      const stat = lstatSync(path);
      const shown = `${below}${name}`;
      if (stat.isSymbolicLink()) return [`${shown} -> ${readlinkSync(path)}`];
      if (stat.isDirectory()) return [`${shown}/`, ...treeOf(path, `${shown}/`)];
      return [`${shown}${(stat.mode & 0o100) === 0 ? "" : "*"} = ${readFileSync(path, "utf8")}`];
    });
}

const refused = async (code: string, ...layers: (readonly MadeEntry[])[]) => {
  await using place = await openPlace();
  const outside = join(place.dir, "outside");
  const dir = join(place.dir, "root");
  await mkdir(dir);
  await mkdir(outside);
  const before = readdirSync(place.dir);
  const made = layOutImage(
    layers.map((entries) => layerOf(entries)),
    dir,
  );
  await expect(made).rejects.toMatchObject({ code });
  expect(readdirSync(place.dir)).toEqual(before);
  expect(readdirSync(outside)).toEqual([]);
};

describe("the layers of an image", () => {
  it("lie over each other: the later file, directory or link wins, whatever was there before", async () => {
    expect(
      await layOut(
        [directory("a"), file("a/x", "1"), file("b", "1"), symlink("c", "a"), directory("d"), file("d/y", "1")],
        [file("a", "2"), directory("b"), file("b/z", "2"), file("c", "2"), symlink("d", "b")],
      ),
    ).toEqual(["a = 2", "b/", "b/z = 2", "c = 2", "d -> b"]);
    expect(await layOut([symlink("c", "a"), directory("a")], [directory("c"), file("c/x", "2")])).toEqual([
      "a/",
      "c/",
      "c/x = 2",
    ]);
  });

  it("hide what lower layers have, and nothing of their own, wherever the whiteout stands", async () => {
    const lower = [directory("a"), file("a/x", "1"), file("a/y", "1"), directory("a/deep"), file("a/deep/z", "1")];
    expect(await layOut(lower, [whiteout("a/x")])).toEqual(["a/", "a/deep/", "a/deep/z = 1", "a/y = 1"]);
    expect(await layOut(lower, [whiteout("a")])).toEqual([]);
    expect(await layOut(lower, [whiteout("nothing"), whiteout("a/none")])).toHaveLength(5);
    for (const entries of [
      [whiteout("a"), directory("a"), file("a/y", "2")],
      [directory("a"), file("a/y", "2"), whiteout("a")],
      [opaque("a"), file("a/y", "2")],
      [directory("a"), file("a/y", "2"), opaque("a")],
    ])
      expect(await layOut(lower, entries)).toEqual(["a/", "a/y = 2"]);
    expect(await layOut(lower, [file("a/deep/new", "2"), opaque("a")])).toEqual(["a/", "a/deep/", "a/deep/new = 2"]);
    expect(await layOut(lower, [opaque("a")], [file("a/w", "3")])).toEqual(["a/", "a/w = 3"]);
    expect(await layOut(lower, [opaque("a")], [file("b", "3")], [opaque("a"), whiteout("b")])).toEqual(["a/"]);
  });

  it("resolve links as the finished root would: bin -> usr/bin, absolute ones, those with too many ..", async () => {
    expect(
      await layOut(
        [directory("usr/bin"), symlink("bin", "usr/bin"), symlink("lib", "/usr/lib"), symlink("up", "../../../usr")],
        [file("bin/x", "2", 0o755), file("lib/y", "2"), file("up/bin/z", "2"), whiteout("bin/none")],
        [whiteout("bin/x"), file("/./bin//w", "3")],
      ),
    ).toEqual([
      "bin -> usr/bin",
      "lib -> /usr/lib",
      "up -> ../../../usr",
      "usr/",
      "usr/bin/",
      "usr/bin/w = 3",
      "usr/bin/z = 2",
      "usr/lib/",
      "usr/lib/y = 2",
    ]);
  });

  it("write nothing outside, through whatever link", async () => {
    await using place = await openPlace();
    const [dir, outside] = [join(place.dir, "root"), join(place.dir, "outside")];
    await mkdir(dir);
    await mkdir(outside);
    await writeFile(join(outside, "passwd"), "root");
    const attack = [
      symlink("abs", outside),
      symlink("rel", "../outside"),
      symlink("chain", "abs"),
      symlink("victim", join(outside, "passwd")),
      file("abs/passwd", "evil"),
      file("rel/passwd", "evil"),
      file("chain/more", "evil"),
      file("victim", "own"),
      hardlink("copy", "abs/passwd"),
    ];
    await layOutImage([layerOf(attack), layerOf([whiteout("abs/passwd"), opaque("rel"), directory("chain")])], dir);
    expect(readdirSync(outside)).toEqual(["passwd"]);
    expect(readFileSync(join(outside, "passwd"), "utf8")).toBe("root");
    expect(readFileSync(join(dir, "copy"), "utf8")).toBe("evil");
    expect(lstatSync(join(dir, "victim")).isFile()).toBe(true);
    expect(existsSync(join(dir, outside, "more"))).toBe(true); // the same path, inside
  });

  it("link hard to files of their own and of earlier layers, as they were when they linked", async () => {
    expect(
      await layOut(
        [file("a", "1", 0o755), hardlink("b", "a"), symlink("s", "a"), hardlink("t", "./s")],
        [hardlink("c", "/a"), file("a", "2")],
        [whiteout("b")],
      ),
    ).toEqual(["a = 2", "c* = 1", "s -> a", "t -> a"]);
    await refused("ARCHIVE_UNSAFE", [hardlink("x", "/etc/passwd")]);
    await refused("ARCHIVE_UNSAFE", [hardlink("x", "../outside/passwd")]);
    await refused("ARCHIVE_UNSAFE", [directory("d"), hardlink("x", "d")]);
    await refused("ARCHIVE_UNSAFE", [file("a", "1")], [whiteout("a"), hardlink("x", "a")]);
  });

  it("keep no mode but whether a file can be run: no set-user-id, no owner's secret", async () => {
    await using place = await openPlace();
    const dir = join(place.dir, "root");
    await mkdir(dir);
    const entries = [
      file("su", "x", 0o4755),
      file("shadow", "x", 0o600),
      file("odd", "x", 0o111),
      directory("t", 0o1777),
    ];
    await layOutImage([layerOf(entries)], dir);
    const modes = Object.fromEntries(readdirSync(dir).map((name) => [name, lstatSync(join(dir, name)).mode & 0o7777]));
    expect(modes).toEqual({ su: 0o755, shadow: 0o644, odd: 0o755, t: 0o755 });
  });

  it("bring no /dev, /proc, /sys and no Go of their own, and a device or pipe elsewhere is refused", async () => {
    expect(
      await layOut([
        directory("dev"),
        { name: "dev/null", type: "3" },
        { name: "./dev/pipe", type: "6" },
        file("dev/shm/x"),
        directory("proc"),
        file("proc/version"),
        symlink("sys", "/elsewhere"),
        directory("app"),
        directory("app/dev"),
        file("app/dev/x", "1"),
      ]),
    ).toEqual(["app/", "app/dev/", "app/dev/x = 1", "dev/", "proc/"]);
    const go = [file("usr/local/go/bin/go"), file("usr/local/bin/x", "1"), symlink("usr/bin/go", "../local/go/bin/go")];
    expect(await layOut(go)).toEqual([
      "usr/",
      "usr/bin/",
      "usr/bin/go -> ../local/go/bin/go",
      "usr/local/",
      "usr/local/bin/",
      "usr/local/bin/x = 1",
      "usr/local/go/",
    ]);
    expect(await layOut([symlink("usr/local/go", "../lib/go"), file("usr/local/go/x")])).toContain(
      "usr/lib/go/x = usr/local/go/x",
    );
    await refused("IMAGE_UNSUPPORTED", [{ name: "x", type: "3" }]);
    await refused("IMAGE_UNSUPPORTED", [directory("a"), { name: "a/x", type: "4" }]);
    await refused("IMAGE_UNSUPPORTED", [{ name: "a/x", type: "6" }]);
  });

  it("are refused where a name escapes, says nothing, or is none that a file can have", async () => {
    for (const entries of [
      [file("../outside/x")],
      [file("a/../../outside/x")],
      [file("a"), file("a/b")],
      [symlink("a", "b"), symlink("b", "a"), file("a/x")],
      [file(".wh.")],
      [file("a/.wh...")],
      [directory("a/.wh.b")],
      [{ name: "./", type: "0" }],
      [{ name: Buffer.from([0x61, 0xff, 0x62]) }],
      [file("x".repeat(100)), { ...file("n"), pax: { path: "y".repeat(256) } }],
      [{ ...file("n"), pax: { path: Buffer.from("a\0b") } }],
      [symlink("a", "")],
      [{ ...file("n"), pax: { path: "d/".repeat(300) } }],
    ])
      await refused("ARCHIVE_UNSAFE", entries);
  });

  it("may have names with spaces, line ends, quotes and any letters, also long ones", async () => {
    const long = `${"directory/".repeat(20)}file`;
    const made = await layOut([
      { ...file("n", "1"), pax: { path: 'a b\n"c"\\ \u00e9', mtime: "1.5" } },
      { ...file("n", "2"), pax: { path: long, "SCHILY.xattr.user.x": Buffer.from("\n12 path=evil\n\xff", "latin1") } },
      { ...symlink("l", "x"), pax: { linkpath: "t".repeat(300) } },
      { name: "././@LongLink", type: "L", body: `${"g".repeat(150)}\0` },
      file("cut", "3"),
      { ...file("n", "5"), name: Buffer.from("caf\u00e9").subarray(0, 4), pax: { path: "caf\u00e9" } }, // cut in a letter
      { name: "global", type: "g", body: "18 path=everywhere\n" },
      file("last", "4"),
    ]);
    expect(made.filter((line) => !line.endsWith("/")).toSorted()).toEqual(
      [
        'a b\n"c"\\ \u00e9 = 1',
        `${long} = 2`,
        `${"g".repeat(150)} = 3`,
        `l -> ${"t".repeat(300)}`,
        "caf\u00e9 = 5",
        "last = 4",
      ].toSorted(),
    );
  });

  it("are read alike however the stream is cut", async () => {
    const entries = [
      directory("a"),
      file("a/x", "x".repeat(1500)),
      { ...file("n", "y"), pax: { path: "\u00fc".repeat(90) } },
    ];
    const whole = await layOut(entries);
    await assert(
      asyncProperty(integer({ min: 1, max: 1200 }), async (chunkBytes) => {
        await using place = await openPlace();
        const dir = join(place.dir, "root");
        await mkdir(dir);
        await layOutImage([layerOf(entries, chunkBytes)], dir);
        expect(treeOf(dir)).toEqual(whole);
      }),
      { numRuns: 25 },
    );
  });

  it("are refused when they are cut off, hold a sparse file, a wrong sum, or an unknown kind", async () => {
    const tar = makeTar([file("a", "x".repeat(2000))]);
    const broken = Buffer.from(tar);
    broken.writeUInt8(broken.readUInt8(0) ^ 1, 0);
    const layers = [
      tar.subarray(0, 1000),
      tar.subarray(0, 300),
      broken,
      makeTar([{ ...file("a"), pax: { "GNU.sparse.major": "1" } }]),
      makeTar([{ name: "a", type: "S" }]),
      makeTar([{ name: "x", type: "x", body: "99 path=a\n" }]),
      Buffer.concat([Buffer.alloc(512), tar]),
    ];
    for (const bytes of layers) {
      await using place = await openPlace();
      const layer = { open: () => Readable.from([bytes]), mediaType: plain, diffId: sha256Of(bytes) };
      await expect(layOutImage([layer], place.dir)).rejects.toMatchObject({ kind: "alarm", code: "ARCHIVE_UNSAFE" });
    }
  });
});
