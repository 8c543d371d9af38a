import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sha256Of } from "../../../builder/digest.ts";
import { findGarbage, removeGarbage } from "../../../builder/store/garbage.ts";
import { verifyStore } from "../../../builder/store/store-check.ts";
import { blobPath, hasBlob, openStore, putBlob, verifyBlob, type Store } from "../../../builder/store/store.ts";
import { openPlace } from "../../support/place.ts";

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}

const put = (store: Store, text: string) => putBlob(store, chunks(text), undefined, { maxBytes: 1000 });

describe("the store", () => {
  it("keeps bytes under their digest and returns them verified", async () => {
    await using place = await openPlace();
    const { sha256, sizeBytes } = await putBlob(
      place.store,
      chunks("one ", "two"),
      { sha256: sha256Of("one two"), sizeBytes: 7 },
      { maxBytes: 7 },
    );
    expect({ sha256, sizeBytes }).toEqual({ sha256: sha256Of("one two"), sizeBytes: 7 });
    expect(await verifyBlob(place.store, sha256)).toBe(blobPath(place.store, sha256));
  });

  it("keeps nothing of bytes that are not the expected ones, too many, or too few", async () => {
    await using place = await openPlace();
    const sha256 = sha256Of("expected");
    for (const text of ["expecteD", "expected and more", "expec"]) {
      await expect(
        putBlob(place.store, chunks(text), { sha256, sizeBytes: 8 }, { maxBytes: 100 }),
      ).rejects.toMatchObject({ kind: "alarm", code: "DIGEST_MISMATCH" });
    }
    await expect(putBlob(place.store, chunks("x".repeat(101)), undefined, { maxBytes: 100 })).rejects.toMatchObject({
      code: "BLOB_TOO_LARGE",
    });
    expect(await hasBlob(place.store, sha256)).toBe(false);
    expect(await readdir(join(place.store.root, "tmp"))).toEqual([]);
  });

  it("names a damaged entry, moves it aside, and misses it then", async () => {
    await using place = await openPlace();
    const { sha256 } = await put(place.store, "kept");
    await appendFile(blobPath(place.store, sha256), "!");
    await expect(verifyBlob(place.store, sha256)).rejects.toMatchObject({
      kind: "alarm",
      code: "STORE_DAMAGED",
      message: expect.stringContaining(sha256),
    });
    await expect(verifyBlob(place.store, sha256)).rejects.toMatchObject({ kind: "world", code: "BLOB_MISSING" });
  });

  it("is verified as a whole: every damaged entry is found and moved", async () => {
    await using place = await openPlace();
    const good = await put(place.store, "good");
    const bad = await put(place.store, "bad");
    await appendFile(blobPath(place.store, bad.sha256), "!");
    const result = await verifyStore(place.store, () => {});
    expect(result.entries).toBe(2);
    expect(result.damaged.map(({ entry }) => entry)).toEqual([bad.sha256]);
    expect(await hasBlob(place.store, good.sha256)).toBe(true);
    expect((await verifyStore(place.store, () => {})).damaged).toEqual([]);
  });

  it("gives back what no lock needs, and only that", async () => {
    await using place = await openPlace();
    const needed = await put(place.store, "needed");
    const old = await put(place.store, "old");
    await mkdir(join(place.store.root, "trees", old.sha256));
    await mkdir(join(place.store.root, "trees", needed.sha256));
    await writeFile(join(place.store.root, "tmp", `${old.sha256}.partial`), "half");
    const garbage = await findGarbage(place.store, new Set([needed.sha256]));
    expect(garbage.entries).toBe(1);
    await removeGarbage(garbage);
    expect(await hasBlob(place.store, old.sha256)).toBe(false);
    expect(await hasBlob(place.store, needed.sha256)).toBe(true);
    expect(await readdir(join(place.store.root, "trees"))).toEqual([needed.sha256]);
    expect(await readdir(join(place.store.root, "tmp"))).toEqual([]);
  });

  it("removes nothing while another process works in it", async () => {
    await using place = await openPlace();
    const other = spawn("sleep", ["60"]);
    try {
      await mkdir(join(place.store.root, "work", `${other.pid}-x`), { recursive: true });
      await expect(findGarbage(place.store, new Set())).rejects.toMatchObject({ kind: "world", code: "STORE_BUSY" });
    } finally {
      other.kill();
      await once(other, "close");
    }
    expect((await findGarbage(place.store, new Set())).paths.length).toBe(1);
  });

  it("says what to do where it cannot be made", async () => {
    await using place = await openPlace();
    await writeFile(join(place.dir, "file"), "");
    await expect(openStore(join(place.dir, "file"))).rejects.toMatchObject({
      kind: "world",
      code: "STORE_UNUSABLE",
      hint: expect.stringContaining("TWINSEAL_CACHE"),
    });
  });
});
