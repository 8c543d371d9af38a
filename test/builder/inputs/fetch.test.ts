import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createHttp } from "../../../builder/http.ts";
import { fetchInputs, type FetchDeps } from "../../../builder/inputs/fetch.ts";
import { blobsOf } from "../../../builder/inputs/plan-fetch.ts";
import { blobPath, hasBlob, verifyBlob, type Store } from "../../../builder/store/store.ts";
import { openModuleServer } from "../../support/module-server.ts";
import { openPlace } from "../../support/place.ts";
import { moduleFiles, sampleLock, sampleModule } from "../../support/sample-lock.ts";

const BIG = 8 << 20;
const modules = [sampleModule("big", BIG), sampleModule("Small", 1000), sampleModule("other", 70_000)];
/** As proxies spell them: capitals are escaped. */
const files = Object.fromEntries(
  Object.entries(moduleFiles(modules)).map(([path, bytes]) => [path.replace("Small", "!small"), bytes]),
);
const lock = sampleLock(modules);
const bigZip = lock.modules[0]?.zip;
if (bigZip === undefined) throw new Error("the sample has no zip");

function depsFor(store: Store, url: string, more: Partial<FetchDeps> = {}): FetchDeps {
  return {
    store,
    http: createHttp(),
    proxies: async () => [url],
    debianMirrors: async () => [],
    host: "linux/amd64",
    offline: false,
    gitEnv: {},
    retry: { attempts: 2, backoffMs: 10 },
    ...more,
  };
}

async function leftOvers(store: Store): Promise<readonly string[]> {
  return readdir(join(store.root, "tmp"));
}

describe("fetchInputs", () => {
  it("brings everything, each file once, and asks for nothing the second time", async () => {
    await using place = await openPlace();
    await using server = await openModuleServer(files);
    const seen: number[] = [];
    await fetchInputs(lock, depsFor(place.store, server.url, { onProgress: ({ doneFiles }) => seen.push(doneFiles) }));
    expect(server.requests.length).toBe(6);
    expect(seen.at(-1)).toBe(6);
    for (const module of lock.modules) await verifyBlob(place.store, module.zip?.sha256 ?? module.goMod.sha256);
    expect(await leftOvers(place.store)).toEqual([]);
    const proxies = () => Promise.reject(new Error("no proxy is needed"));
    await fetchInputs(lock, depsFor(place.store, server.url, { proxies }));
    expect(server.requests.length).toBe(6);
  });

  it("needs no network when the store has all, and offline says what is missing", async () => {
    await using place = await openPlace();
    await using server = await openModuleServer(files);
    await expect(fetchInputs(lock, depsFor(place.store, server.url, { offline: true }))).rejects.toMatchObject({
      kind: "world",
      code: "OFFLINE_MISSING",
      message: expect.stringContaining("example.test/big@v1.0.0"),
    });
    expect(server.requests).toEqual([]);
    await fetchInputs(lock, depsFor(place.store, server.url));
    await fetchInputs(lock, depsFor(place.store, "http://127.0.0.1:9", { offline: true }));
  });

  it("without a network says what was wanted and what is there, and resumes later", async () => {
    await using place = await openPlace();
    await using server = await openModuleServer(files);
    await fetchInputs(sampleLock(modules.slice(1)), depsFor(place.store, server.url));
    const broken = fetchInputs(lock, depsFor(place.store, "http://127.0.0.1:9"));
    await expect(broken).rejects.toMatchObject({
      kind: "world",
      code: "NETWORK",
      message: expect.stringMatching(/2 files, 8\.4 MB \(example\.test\/big@v1\.0\.0.*4 of 6 are already in the store/),
      hint: expect.stringContaining("resumes"),
    });
    await fetchInputs(lock, depsFor(place.store, server.url));
  });

  it("resumes a broken download with the rest only", async () => {
    await using place = await openPlace();
    await using server = await openModuleServer(files);
    server.faults.cutAfterBytes = 4 << 20;
    await expect(
      fetchInputs(lock, depsFor(place.store, server.url, { retry: { attempts: 1, backoffMs: 1 } })),
    ).rejects.toMatchObject({ code: "NETWORK" });
    expect(await hasBlob(place.store, bigZip.sha256)).toBe(false);
    server.faults.cutAfterBytes = undefined;
    await fetchInputs(lock, depsFor(place.store, server.url));
    expect(server.requests.at(-1)?.range).toMatch(/^bytes=\d{6,}-$/);
    await verifyBlob(place.store, bigZip.sha256);
    expect(await leftOvers(place.store)).toEqual([]);
  });

  it("starts again where the server knows no ranges, or where the first part was wrong", async () => {
    for (const fault of ["no ranges", "wrong part"]) {
      await using place = await openPlace();
      await using server = await openModuleServer(files);
      server.faults.noRanges = fault === "no ranges";
      await writeFile(join(place.store.root, "tmp", `${bigZip.sha256}.partial`), Buffer.alloc(1 << 20));
      await fetchInputs(lock, depsFor(place.store, server.url));
      await verifyBlob(place.store, bigZip.sha256);
      expect(await leftOvers(place.store)).toEqual([]);
    }
  });

  it("is an alarm when one bit is another, and keeps nothing of it", async () => {
    await using place = await openPlace();
    await using server = await openModuleServer(files);
    server.faults.flipBit = true;
    await expect(fetchInputs(lock, depsFor(place.store, server.url))).rejects.toMatchObject({
      kind: "alarm",
      code: "DIGEST_MISMATCH",
      message: expect.stringContaining("example.test/"),
    });
    for (const sha256 of blobsOf(lock)) expect(await hasBlob(place.store, sha256)).toBe(false);
  });

  it("takes the next proxy when one lacks a file, and fails when all do", async () => {
    await using place = await openPlace();
    await using empty = await openModuleServer({});
    await using server = await openModuleServer(files);
    await expect(fetchInputs(lock, depsFor(place.store, empty.url))).rejects.toMatchObject({
      kind: "world",
      code: "INPUT_NOT_FOUND",
    });
    await fetchInputs(lock, depsFor(place.store, "", { proxies: async () => [empty.url, server.url] }));
  });

  it("moves an entry of another size aside, as an alarm, and brings it again on the next run", async () => {
    await using place = await openPlace();
    await using server = await openModuleServer(files);
    await fetchInputs(lock, depsFor(place.store, server.url));
    await truncate(blobPath(place.store, bigZip.sha256), 100);
    await expect(fetchInputs(lock, depsFor(place.store, server.url))).rejects.toMatchObject({
      kind: "alarm",
      code: "STORE_DAMAGED",
      message: expect.stringContaining(bigZip.sha256),
    });
    expect((await readdir(join(place.store.root, "damaged"))).length).toBe(1);
    await fetchInputs(lock, depsFor(place.store, server.url));
    await verifyBlob(place.store, bigZip.sha256);
  });

  it("survives SIGKILL in the middle, and the next run takes up what came", async () => {
    await using place = await openPlace();
    await using server = await openModuleServer(files);
    server.faults.pauseMs = 30;
    const script = join(import.meta.dirname, "../../support/fetch-sample.ts");
    const child = spawn(process.execPath, [script, place.store.root, server.url, String(BIG)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    while (!server.requests.some(({ path }) => path.endsWith("big/@v/v1.0.0.zip"))) await sleep(20);
    await sleep(500);
    child.kill("SIGKILL");
    await once(child, "close");
    expect((await leftOvers(place.store)).length).toBeGreaterThan(0);
    expect(await hasBlob(place.store, bigZip.sha256)).toBe(false);
    server.faults.pauseMs = 0;
    await fetchInputs(lock, depsFor(place.store, server.url));
    expect(server.requests.some(({ range }) => range !== undefined)).toBe(true);
    await verifyBlob(place.store, bigZip.sha256);
    expect(await leftOvers(place.store)).toEqual([]);
  });

  it("lets four processes fetch the same at once, over one wire", async () => {
    await using place = await openPlace();
    await using server = await openModuleServer(files);
    server.faults.pauseMs = 2;
    const script = join(import.meta.dirname, "../../support/fetch-sample.ts");
    const codes = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const child = spawn(process.execPath, [script, place.store.root, server.url, String(BIG)], {
          stdio: ["ignore", "ignore", "inherit"],
        });
        const [code] = await once(child, "close");
        return code as number | null;
      }),
    );
    expect(codes).toEqual([0, 0, 0, 0]);
    expect((await readFile(blobPath(place.store, bigZip.sha256))).equals(Buffer.from(modules[0]?.zip ?? []))).toBe(
      true,
    );
    expect(await leftOvers(place.store)).toEqual([]);
  });
});
