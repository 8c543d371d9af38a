import { lstatSync, readFileSync, readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { sha256Of } from "../../../builder/digest.ts";
import { layOutImage, type ImageLayer } from "../../../builder/inputs/oci-rootfs.ts";
import { openPlace } from "../../support/place.ts";
import { file, makeTar } from "../../support/tar-maker.ts";

describe("a packed layer", () => {
  const tar = makeTar([file("a", "x".repeat(300_000))]);
  const cut = (bytes: Uint8Array, chunkBytes: number) =>
    Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, at) =>
      Buffer.from(bytes.subarray(at * chunkBytes, (at + 1) * chunkBytes)),
    );
  const packed = (bytes: Uint8Array, packing: string, diffId = sha256Of(tar), chunkBytes = 1 << 20): ImageLayer => ({
    open: () => Readable.from(cut(bytes, chunkBytes)),
    mediaType: `application/vnd.oci.image.layer.v1.tar+${packing}`,
    diffId,
  });

  it("is unpacked from gzip and zstd, also from several members and frames behind each other", async () => {
    const [head, tail] = [tar.subarray(0, 5000), tar.subarray(5000)];
    const skippable = Buffer.from("5a2a4d18040000006e6f7465", "hex");
    const frames = Buffer.concat([skippable, zstdCompressSync(head), skippable, zstdCompressSync(tail), skippable]);
    for (const layer of [
      packed(gzipSync(tar), "gzip"),
      packed(Buffer.concat([gzipSync(head), gzipSync(tail)]), "gzip"),
      packed(zstdCompressSync(tar), "zstd"),
      ...[1, 7, 100, 1 << 20].map((chunkBytes) => packed(frames, "zstd", sha256Of(tar), chunkBytes)),
    ]) {
      await using place = await openPlace();
      const dir = join(place.dir, "root");
      await mkdir(dir);
      await layOutImage([layer], dir);
      expect(readFileSync(join(dir, "a")).length).toBe(300_000);
    }
  });

  it("is an alarm when its unpacked digest is not the config's, or when it cannot be unpacked", async () => {
    const gzip = gzipSync(tar);
    for (const layer of [
      packed(gzip, "gzip", sha256Of("another")),
      packed(gzip.subarray(0, gzip.length - 20), "gzip"),
      packed(tar, "gzip"),
      packed(tar, "zstd"),
      packed(zstdCompressSync(tar).subarray(0, 40), "zstd"),
    ]) {
      await using place = await openPlace();
      await expect(layOutImage([layer], place.dir)).rejects.toMatchObject({ kind: "alarm", code: "DIGEST_MISMATCH" });
    }
  });

  it("is refused when it unpacks to more than the limit, before that much is written", async () => {
    await using place = await openPlace();
    const dir = join(place.dir, "root");
    await mkdir(dir);
    const bomb = makeTar([file("zeros", Buffer.alloc(64 << 20))]);
    const layer = packed(gzipSync(bomb), "gzip", sha256Of(bomb));
    await expect(layOutImage([layer], dir, { maxBytes: 1 << 20 })).rejects.toMatchObject({
      kind: "world",
      code: "IMAGE_TOO_LARGE",
    });
    const written = readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce((sum, entry) => sum + lstatSync(join(entry.parentPath, entry.name)).size, 0);
    expect(written).toBeLessThanOrEqual(1 << 20);
  });

  it("of another kind is refused by name", async () => {
    await using place = await openPlace();
    const layer = { ...packed(tar, "gzip"), mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" };
    await expect(layOutImage([layer], place.dir)).rejects.toMatchObject({ code: "IMAGE_UNSUPPORTED" });
  });
});
