import { readFileSync, readdirSync } from "node:fs";
import { symlink as link, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { sha256Of } from "../../../builder/digest.ts";
import { createHttp } from "../../../builder/http.ts";
import { takeImage } from "../../../builder/inputs/oci-layout.ts";
import type { LockedImage } from "../../../builder/recipe/lock.ts";
import { lockImage, type ImagePinDeps } from "../../../builder/recipe/pin-image.ts";
import { openHostileRegistry } from "../../support/hostile-registry.ts";
import {
  layoutFiles,
  oldSavedEntries,
  packedSavedFiles,
  savedFiles,
  writeFiles,
  writeTar,
} from "../../support/image-files.ts";
import { makeImage, makeIndex } from "../../support/image-maker.ts";
import { openPlace, type Place } from "../../support/place.ts";
import { directory, file } from "../../support/tar-maker.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const twice = [directory("usr"), file("usr/cc", "compiler".repeat(1000), 0o755)];
const image = makeImage([twice, [file("more")], twice]);
const index = makeIndex([[image.manifest, amd64]]);
const nameOf = (sha256: string) => `registry.example.test/tools/gcc:14@sha256:${sha256}`;

let locked: LockedImage;
/** What a registry would have given. */
beforeAll(async () => {
  await using server = await openHostileRegistry([index, image.manifest, image.config, ...image.layers]);
  await using place = await openPlace();
  const fresh = await lockImage(`${server.registry}/tools/gcc@sha256:${index.sha256}`, depsIn(place));
  locked = { ...fresh, image: nameOf(index.sha256) };
});

function depsIn(place: Place, imageFrom?: string): ImagePinDeps {
  return { store: place.store, http: createHttp(), host: "linux/amd64", say: () => {}, imageFrom };
}

const program = (place: Place) =>
  readFileSync(join(place.store.root, "trees", locked.rootfs.sha256, "usr/cc"), "utf8").slice(0, 8);

describe("an image in a file", () => {
  it("is locked by its digest as from a registry: a layout as a directory or a tar, with an index or without", async () => {
    await using place = await openPlace();
    const whole = layoutFiles(image, index);
    for (const path of [
      await writeFiles(join(place.dir, "layout"), whole),
      await writeTar(join(place.dir, "layout.tar"), whole),
    ]) {
      expect(await lockImage(locked.image, depsIn(place, path))).toEqual(locked);
      const { index: _index, ...single } = { ...locked, image: nameOf(image.manifest.sha256) };
      expect(await lockImage(single.image, depsIn(place, path))).toEqual(single);
    }
  });

  it("is laid out by the lock from a layout and from all that docker save wrote, also unpacked, also without manifest", async () => {
    await using place = await openPlace();
    const paths = [
      await writeFiles(join(place.dir, "layout"), layoutFiles(image)),
      await writeTar(join(place.dir, "saved.tar"), savedFiles(image, "gcc:14").files),
      await writeTar(join(place.dir, "old.tar"), oldSavedEntries(image, "gcc:14")),
      await writeTar(join(place.dir, "packed.tar"), packedSavedFiles(image, "gcc:14")),
    ];
    for (const path of paths) {
      await using other = await openPlace();
      await takeImage(locked, path, other.store);
      expect(program(other)).toBe("compiler");
    }
  });

  it("that docker save wrote has a digest of its own, by which a recipe may name it", async () => {
    await using place = await openPlace();
    const saved = savedFiles(image, "docker.io/library/gcc:14");
    const path = await writeTar(join(place.dir, "saved.tar"), saved.files);
    const own = await lockImage(nameOf(saved.manifest.sha256), depsIn(place, path));
    expect(own.rootfs).toEqual(locked.rootfs);
    await expect(lockImage(locked.image, depsIn(place, path))).rejects.toMatchObject({
      kind: "caller",
      code: "IMAGE_NOT_IN_FILE",
      hint: expect.stringContaining(`docker.io/library/gcc:14@sha256:${saved.manifest.sha256}`),
    });
    const old = await writeTar(join(place.dir, "old.tar"), oldSavedEntries(image, "gcc:14"));
    await expect(lockImage(locked.image, depsIn(place, old))).rejects.toMatchObject({
      kind: "caller",
      code: "IMAGE_NOT_IN_FILE",
      hint: expect.stringContaining("no digest to be named by"),
    });
  });

  it("that is another one is refused, whatever it calls itself", async () => {
    await using place = await openPlace();
    const other = makeImage([twice, [file("more", "other")], twice]);
    const path = await writeTar(join(place.dir, "old.tar"), oldSavedEntries(other, "gcc:14"));
    await expect(takeImage(locked, path, place.store)).rejects.toMatchObject({ code: "IMAGE_NOT_IN_FILE" });
    expect(readdirSync(join(place.store.root, "trees"))).toEqual([]);
  });

  it("with one bit off in config, manifest or layer is an alarm, and nothing of it is kept", async () => {
    const changed = (files: Readonly<Record<string, string | Uint8Array>>, name: string, at = 20) => {
      const bytes = Buffer.from(files[name] ?? "");
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      return { ...files, [name]: bytes };
    };
    const whole = layoutFiles(image, index);
    const layer = image.layers[1]?.sha256 ?? "";
    const saved = savedFiles(image, "gcc:14").files;
    await using place = await openPlace();
    for (const [files, at] of [
      [changed(whole, `blobs/sha256/${image.config.sha256}`), "both"],
      [changed(whole, `blobs/sha256/${layer}`, 60), "both"],
      [changed(whole, `blobs/sha256/${index.sha256}`), "pin"],
      [changed(whole, `blobs/sha256/${image.manifest.sha256}`), "pin"],
      [changed(saved, `blobs/sha256/${sha256Of(image.tars[1] ?? "")}`, 600), "take"],
    ] as const) {
      await using other = await openPlace();
      const path = await writeTar(join(place.dir, "changed.tar"), files);
      const alarm = { kind: "alarm", code: "DIGEST_MISMATCH" };
      if (at !== "take") await expect(lockImage(locked.image, depsIn(other, path))).rejects.toMatchObject(alarm);
      if (at !== "pin") await expect(takeImage(locked, path, other.store)).rejects.toMatchObject(alarm);
      expect(readdirSync(join(other.store.root, "trees"))).toEqual([]);
      expect(readdirSync(join(other.store.root, "tmp"))).toEqual([]);
    }
  });

  it("with fewer layers than its config, or another under a layer's name, is refused", async () => {
    await using place = await openPlace();
    const entries = oldSavedEntries(image, "gcc:14");
    const list = (layers: readonly string[]) =>
      file(
        "manifest.json",
        JSON.stringify([{ Config: `${image.config.sha256}.json`, RepoTags: null, Layers: layers }]),
      );
    const layer = entries.find(({ body }) => Buffer.isBuffer(body))?.name.toString() ?? "";
    for (const [layers, code] of [
      [[layer], "IMAGE_NOT_IN_FILE"],
      [[layer, layer, layer], "DIGEST_MISMATCH"],
      [["../../etc/passwd", layer, layer], "IMAGE_NOT_IN_FILE"],
    ] as const) {
      const path = await writeTar(join(place.dir, "old.tar"), [...entries.slice(0, -1), list(layers)]);
      await expect(takeImage(locked, path, place.store)).rejects.toMatchObject({ code });
    }
  });

  it("says what is wrong with a file that is none, is missing, is packed, or leads in a circle", async () => {
    await using place = await openPlace();
    const at = (name: string) => join(place.dir, name);
    await writeFile(at("text"), "hello");
    await writeFile(at("packed.tar.gz"), gzipSync(readFileSync(await writeTar(at("x.tar"), layoutFiles(image)))));
    for (const name of ["text", "packed.tar.gz", "missing"])
      await expect(takeImage(locked, at(name), place.store)).rejects.toMatchObject({
        kind: "caller",
        code: "IMAGE_FILE_UNFIT",
        message: expect.stringContaining(at(name)),
      });
    const dir = await writeFiles(at("layout"), { "oci-layout": "{}" });
    await link("manifest.json", join(dir, "manifest.json"));
    await expect(takeImage(locked, dir, place.store)).rejects.toMatchObject({ kind: "caller" });
  });
});
