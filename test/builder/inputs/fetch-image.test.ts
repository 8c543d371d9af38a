import { appendFileSync, existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createHttp } from "../../../builder/http.ts";
import { fetchInputs, type FetchDeps } from "../../../builder/inputs/fetch.ts";
import { imageTree } from "../../../builder/inputs/oci-stored.ts";
import { blobsOf, nowhere, planFetch } from "../../../builder/inputs/plan-fetch.ts";
import { compilerTree } from "../../../builder/prepare-inputs.ts";
import { runProcess } from "../../../builder/process.ts";
import { lockSchema, type Lock, type LockedImage } from "../../../builder/recipe/lock.ts";
import { lockImage } from "../../../builder/recipe/pin-image.ts";
import { findGarbage, removeGarbage } from "../../../builder/store/garbage.ts";
import { blobPath, hasBlob, openStore, type Store } from "../../../builder/store/store.ts";
import { openHostileRegistry, type HostileRegistry } from "../../support/hostile-registry.ts";
import { oldSavedEntries, writeTar } from "../../support/image-files.ts";
import { makeImage, makeIndex } from "../../support/image-maker.ts";
import { openModuleServer } from "../../support/module-server.ts";
import { openPlace } from "../../support/place.ts";
import { moduleFiles, sampleLock, sampleModule } from "../../support/sample-lock.ts";
import { file } from "../../support/tar-maker.ts";

const image = makeImage([
  [file("usr/bin/cc", "old", 0o755)],
  [file("usr/bin/cc", "new", 0o755), file("big", "x".repeat(90_000))],
]);
const index = makeIndex([[image.manifest, { os: "linux", architecture: "amd64" }]]);
const all = [index, image.manifest, image.config, ...image.layers];
const modules = [sampleModule("one", 1000)];
const TOKEN = "a-token";

/** A registry that wants a token, and the lock of its image. */
async function openLocked(): Promise<HostileRegistry & { readonly lock: Lock & { readonly compiler: LockedImage } }> {
  const server = await openHostileRegistry(all);
  server.lie = ({ path, headers }) => {
    if (path.startsWith("/token")) return { body: JSON.stringify({ token: TOKEN }) };
    if (headers.authorization === `Bearer ${TOKEN}`) return undefined;
    return { status: 401, headers: { "www-authenticate": `Bearer realm="${server.url}/token",service="s"` } };
  };
  await using place = await openPlace();
  const compiler = await lockImage(`${server.registry}/tools/gcc@sha256:${index.sha256}`, {
    store: place.store,
    http: createHttp(),
    host: "linux/amd64",
    say: () => {},
  });
  server.asked.length = 0;
  return Object.assign(server, { lock: { ...sampleLock(modules), compiler } });
}

function depsFor(store: Store, proxy: string, more: Partial<FetchDeps> = {}): FetchDeps {
  return {
    store,
    http: createHttp(),
    proxies: async () => [proxy],
    host: "linux/amd64",
    offline: false,
    gitEnv: {},
    debianMirrors: async () => [],
    retry: { attempts: 1, backoffMs: 1 },
    ...more,
  };
}

const compilerOf = (tree: string) => readFileSync(join(tree, "usr/bin/cc"), "utf8");

describe("a lock with an image", () => {
  it("names no place, and is what a lock may be", async () => {
    await using server = await openLocked();
    expect(lockSchema.parse(server.lock)).toEqual(server.lock);
    expect(JSON.stringify(server.lock.compiler)).not.toContain("//");
  });

  it("is fetched like all else, with a token and with progress, and laid out offline", async () => {
    await using server = await openLocked();
    await using proxy = await openModuleServer(moduleFiles(modules));
    await using place = await openPlace();
    const labels = new Set<string>();
    const onProgress: FetchDeps["onProgress"] = ({ label }) => labels.add(label);
    await fetchInputs(server.lock, depsFor(place.store, proxy.url, { onProgress }));
    expect([...labels].filter((label) => label.includes("tools/gcc"))).toHaveLength(5);
    expect(server.asked.filter(({ path }) => path.startsWith("/token"))).toHaveLength(1);
    await fetchInputs(server.lock, depsFor(place.store, "", { offline: true }));
    const count = server.asked.length;
    expect(compilerOf(await compilerTree(place.store, server.lock.compiler))).toBe("new");
    // Laid out, it needs no layer any more.
    for (const { sha256 } of image.layers) rmSync(blobPath(place.store, sha256));
    await fetchInputs(server.lock, depsFor(place.store, "", { offline: true }));
    expect(compilerOf(await compilerTree(place.store, server.lock.compiler))).toBe("new");
    expect(server.asked.length).toBe(count);
  });

  it("offline without it says what is missing, and on another host it is not wanted", async () => {
    await using server = await openLocked();
    await using place = await openPlace();
    await expect(fetchInputs(server.lock, depsFor(place.store, "", { offline: true }))).rejects.toMatchObject({
      code: "OFFLINE_MISSING",
      message: expect.stringContaining("layer 2 of"),
    });
    expect(planFetch(server.lock, "linux/arm64", nowhere).some(({ label }) => label.includes("layer"))).toBe(false);
  });

  it("is taken from a docker save file, without any registry", async () => {
    await using server = await openLocked();
    await using proxy = await openModuleServer(moduleFiles(modules));
    await using place = await openPlace();
    const imageFrom = await writeTar(join(place.dir, "old.tar"), oldSavedEntries(image, "gcc:14"));
    await fetchInputs(server.lock, depsFor(place.store, proxy.url, { imageFrom }));
    expect(server.asked).toEqual([]);
    expect(compilerOf(await imageTree(place.store, server.lock.compiler))).toBe("new");
    await expect(
      fetchInputs(sampleLock(modules), depsFor(place.store, proxy.url, { imageFrom })),
    ).rejects.toMatchObject({ kind: "caller", code: "IMAGE_UNUSED" });
  });

  it("keeps its layers and its tree from the garbage collection, and nothing else", async () => {
    await using server = await openLocked();
    await using proxy = await openModuleServer(moduleFiles(modules));
    await using place = await openPlace();
    await fetchInputs(server.lock, depsFor(place.store, proxy.url));
    const tree = await imageTree(place.store, server.lock.compiler);
    const collect = async (lock: Lock) => removeGarbage(await findGarbage(place.store, new Set<string>(blobsOf(lock))));
    await collect(server.lock);
    for (const { sha256 } of all) expect(await hasBlob(place.store, sha256)).toBe(true);
    expect(existsSync(tree)).toBe(true);
    await collect(sampleLock(modules));
    for (const { sha256 } of all) expect(await hasBlob(place.store, sha256)).toBe(false);
    expect(existsSync(tree)).toBe(false);
  });

  it("that is damaged in the store is an alarm, and the next run makes it anew", async () => {
    await using server = await openLocked();
    await using proxy = await openModuleServer(moduleFiles(modules));
    await using place = await openPlace();
    await fetchInputs(server.lock, depsFor(place.store, proxy.url));
    const tree = await imageTree(place.store, server.lock.compiler);
    appendFileSync(join(tree, "usr/bin/cc"), "x");
    await expect(imageTree(place.store, server.lock.compiler)).rejects.toMatchObject({ code: "STORE_DAMAGED" });
    expect(compilerOf(await imageTree(place.store, server.lock.compiler))).toBe("new");
  });

  it("finds no room on the disk: the world's fault, and the store is as it was", async (context) => {
    if (process.getuid?.() !== 0) return context.skip("only root can mount a small disk");
    await using server = await openLocked();
    await using proxy = await openModuleServer(moduleFiles(modules));
    await using place = await openPlace();
    const large = makeImage([[file("zeros", Buffer.alloc(8 << 20))]]);
    for (const blob of [large.manifest, large.config, ...large.layers]) server.blobs.set(`sha256:${blob.sha256}`, blob);
    const run = (...argv: readonly [string, ...string[]]) =>
      runProcess(argv, { env: { PATH: process.env["PATH"] ?? "" }, timeoutMs: 10_000 });
    const mounted = await run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place.dir);
    if (mounted.code !== 0) return context.skip(`no small disk can be mounted here: ${mounted.stderr.trim()}`);
    try {
      const store = await openStore(join(place.dir, "store"));
      await fetchInputs(server.lock, depsFor(store, proxy.url));
      const pinned = lockImage(`${server.registry}/tools/gcc@sha256:${large.manifest.sha256}`, {
        store,
        http: createHttp(),
        host: "linux/amd64",
        say: () => {},
      });
      await expect(pinned).rejects.toMatchObject({ kind: "world", code: "DISK_FULL" });
      expect(readdirSync(join(store.root, "tmp"))).toEqual([]);
      expect(readdirSync(join(store.root, "trees"))).toEqual([]);
      expect(compilerOf(await imageTree(store, server.lock.compiler))).toBe("new");
    } finally {
      await run("umount", place.dir);
    }
  });

  it("that names what its digest does not lead to is an alarm, and nothing is laid out", async () => {
    await using server = await openLocked();
    await using proxy = await openModuleServer(moduleFiles(modules));
    const other = makeImage([[file("usr/bin/cc", "evil", 0o755)]]);
    for (const { sha256, bytes, mediaType } of [other.manifest, other.config, ...other.layers])
      server.blobs.set(`sha256:${sha256}`, { sha256, bytes, mediaType });
    const { compiler } = server.lock;
    const blob = ({ sha256, bytes }: (typeof all)[number]) => ({ sha256, sizeBytes: bytes.length });
    const swapped = other.layers.map((layer) => ({ ...blob(layer), mediaType: layer.mediaType }));
    for (const forged of [
      { ...compiler, layers: swapped },
      { ...compiler, config: blob(other.config), layers: swapped },
      {
        ...compiler,
        manifest: { ...compiler.manifest, ...blob(other.manifest) },
        config: blob(other.config),
        layers: swapped,
      },
      { ...compiler, layers: compiler.layers.toReversed() },
    ]) {
      await using place = await openPlace();
      await fetchInputs({ ...server.lock, compiler: forged }, depsFor(place.store, proxy.url));
      await expect(imageTree(place.store, forged)).rejects.toMatchObject({ kind: "alarm", code: "LOCK_CONTRADICTS" });
      expect(readdirSync(join(place.store.root, "trees"))).toEqual([]);
      expect(readdirSync(join(place.store.root, "tmp"))).toEqual([]);
    }
  });
});
