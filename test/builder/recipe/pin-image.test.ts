import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { sha256Of } from "../../../builder/digest.ts";
import { createHttp } from "../../../builder/http.ts";
import { lockImage, resolveImage, type ImagePinDeps } from "../../../builder/recipe/pin-image.ts";
import { openHostileRegistry, type Answer, type Asked } from "../../support/hostile-registry.ts";
import { makeImage, makeIndex, makeManifest, type MadeImage } from "../../support/image-maker.ts";
import { openPlace, type Place } from "../../support/place.ts";
import { openRegistry } from "../../support/registry.ts";
import { directory, file, symlink, whiteout } from "../../support/tar-maker.ts";

const layers = [
  [directory("usr/bin"), symlink("bin", "usr/bin"), file("usr/bin/gcc", "old", 0o755), file("gone")],
  [file("bin/gcc", "new", 0o755), whiteout("gone"), file("etc/motd", "x".repeat(100_000))],
];
const image = makeImage(layers);
const blobsOf = (made: MadeImage) => [made.manifest, made.config, ...made.layers];
const arm64 = { os: "linux", architecture: "arm64", variant: "v8" };
const amd64 = { os: "linux", architecture: "amd64" };
const attestation = { os: "unknown", architecture: "unknown" };

function depsIn(place: Place, more: Partial<ImagePinDeps> = {}): ImagePinDeps {
  return { store: place.store, http: createHttp(), host: "linux/amd64", say: () => {}, ...more };
}

const nameIn = (registry: string, sha256: string, name = "tools/gcc") => `${registry}/${name}@sha256:${sha256}`;
/** All that a store holds but empty directories. */
const kept = (place: Place) => ["sha256", "trees", "tmp"].flatMap((name) => readdirSync(join(place.store.root, name)));

describe("an image of a real registry that gives tokens", () => {
  it("is locked with the way from its digest to every layer, and laid out in the store", async (context) => {
    const registry = await openRegistry();
    if (typeof registry === "string") return context.skip(registry);
    await using server = registry;
    const foreign = makeImage([[file("other")]], { platform: arm64, packing: "zstd" });
    const index = makeIndex([
      [foreign.manifest, arm64],
      [image.manifest, amd64],
    ]);
    const blobs = [image, foreign].flatMap((one) => [one.config, ...one.layers]);
    await server.push("tools/gcc", blobs, [foreign.manifest, image.manifest, index], "14");
    await using place = await openPlace();
    const name = await resolveImage(`${server.registry}/tools/gcc:14`, depsIn(place));
    expect(name).toBe(`${server.registry}/tools/gcc:14@sha256:${index.sha256}`);
    const locked = await lockImage(name, depsIn(place));
    expect(locked).toMatchObject({
      kind: "image",
      host: "linux/amd64",
      image: name,
      index: { sha256: index.sha256, sizeBytes: index.bytes.length },
      manifest: { sha256: image.manifest.sha256 },
      config: { sha256: image.config.sha256 },
      layers: image.layers.map(({ sha256, bytes, mediaType }) => ({ sha256, sizeBytes: bytes.length, mediaType })),
    });
    const tree = join(place.store.root, "trees", locked.rootfs.sha256);
    expect(readFileSync(join(tree, "usr/bin/gcc"), "utf8")).toBe("new");
    expect(readdirSync(tree).toSorted()).toEqual(["bin", "etc", "usr"]);
    expect(server.asked.map(({ scope }) => scope)).toEqual(server.asked.map(() => "repository:tools/gcc:pull"));
    expect(server.asked.every(({ authorization }) => authorization === undefined)).toBe(true);

    const onArm = await lockImage(name, depsIn(place, { host: "linux/arm64" }));
    expect(onArm.manifest.sha256).toBe(foreign.manifest.sha256);
    const single = await lockImage(nameIn(server.registry, image.manifest.sha256), depsIn(place));
    expect(single.index).toBeUndefined();
    expect(single.rootfs).toEqual(locked.rootfs);
  });

  it("may want a password, which goes to the token server alone", async (context) => {
    const registry = await openRegistry();
    if (typeof registry === "string") return context.skip(registry);
    await using server = registry;
    await server.push("tools/gcc", [image.config, ...image.layers], [image.manifest]);
    server.password = Buffer.from("user:secret word").toString("base64");
    const name = nameIn(server.registry, image.manifest.sha256);
    await using place = await openPlace();
    await expect(lockImage(name, depsIn(place))).rejects.toMatchObject({
      kind: "world",
      code: "REGISTRY_DENIED",
      hint: expect.stringContaining("docker login"),
    });
    const wrong = depsIn(place, { registryAuth: async () => Buffer.from("user:wrong").toString("base64") });
    await expect(lockImage(name, wrong)).rejects.toMatchObject({ code: "REGISTRY_DENIED" });
    const asked: string[] = [];
    const registryAuth = async (which: string) => (asked.push(which), server.password);
    expect((await lockImage(name, depsIn(place, { registryAuth }))).layers).toHaveLength(2);
    expect(new Set(asked)).toEqual(new Set([server.registry]));
  });

  it("that is not there is the world's fault, with what to do", async (context) => {
    const registry = await openRegistry();
    if (typeof registry === "string") return context.skip(registry);
    await using server = registry;
    await using place = await openPlace();
    await server.push("tools/gcc", [image.config, ...image.layers], [image.manifest]);
    const missing = { kind: "world", code: "IMAGE_NOT_FOUND", hint: expect.stringContaining("--image-from") };
    const name = nameIn(server.registry, sha256Of("none"));
    await expect(lockImage(name, depsIn(place))).rejects.toMatchObject(missing);
    await expect(resolveImage(`${server.registry}/tools/gcc:none`, depsIn(place))).rejects.toMatchObject(missing);
    const down = "127.0.0.1:9/tools/gcc:1";
    await expect(resolveImage(down, depsIn(place))).rejects.toMatchObject({ kind: "world", code: "NETWORK" });
    expect(kept(place)).toEqual([]);
  });
});

describe("a registry that lies", () => {
  const lies: readonly (readonly [string, string, (asked: Asked, honest: Answer) => Answer | undefined])[] = [
    [
      "with another manifest",
      "DIGEST_MISMATCH",
      ({ path }) => (path.includes("/manifests/") ? { body: "{}" } : undefined),
    ],
    [
      "with a layer one bit off",
      "DIGEST_MISMATCH",
      ({ path }, { body }) => {
        if (!path.includes(image.layers[1]?.sha256 ?? "-")) return undefined;
        const bytes = Buffer.from(body ?? "");
        bytes.writeUInt8(bytes.readUInt8(50) ^ 1, 50);
        return { body: bytes };
      },
    ],
    [
      "with a layer that does not end",
      "DIGEST_MISMATCH",
      ({ path }, { body }) =>
        path.includes(image.layers[0]?.sha256 ?? "-")
          ? { body: Buffer.concat([Buffer.from(body ?? ""), Buffer.alloc(1 << 20)]) }
          : undefined,
    ],
    [
      "with another config",
      "DIGEST_MISMATCH",
      ({ path }) => (path.includes(image.config.sha256) ? { body: "x".repeat(image.config.bytes.length) } : undefined),
    ],
  ];
  for (const [what, code, lie] of lies)
    it(`${what} is an alarm, and nothing of it is kept`, async () => {
      await using server = await openHostileRegistry(blobsOf(image));
      await using place = await openPlace();
      server.lie = lie;
      const name = nameIn(server.registry, image.manifest.sha256);
      await expect(lockImage(name, depsIn(place))).rejects.toMatchObject({ kind: "alarm", code });
      expect(readdirSync(join(place.store.root, "trees"))).toEqual([]);
      expect(readdirSync(join(place.store.root, "tmp"))).toEqual([]);
      server.lie = () => undefined;
      await lockImage(name, depsIn(place));
    });

  it("about the digest of a tag is an alarm; about one that was asked for is not believed", async () => {
    await using server = await openHostileRegistry(blobsOf(image));
    await using place = await openPlace();
    server.blobs.set("14", image.manifest);
    const wrong = { "docker-content-digest": `sha256:${sha256Of("other")}` };
    server.lie = ({ path }, honest) => (path.includes("/manifests/") ? { ...honest, headers: wrong } : undefined);
    await expect(resolveImage(`${server.registry}/a/b:14`, depsIn(place))).rejects.toMatchObject({
      kind: "alarm",
      code: "DIGEST_MISMATCH",
    });
    await lockImage(nameIn(server.registry, image.manifest.sha256), depsIn(place));
  });

  it("about sizes, layers or unpacked digests in its own manifest is an alarm", async () => {
    const [first, second] = image.layers;
    if (first === undefined || second === undefined) throw new Error("two layers are needed");
    const shrunk = { ...second, bytes: Buffer.concat([second.bytes, Buffer.alloc(10)]) };
    const cases = [
      { ...image, manifest: makeManifest(image.config, [first]) },
      { ...image, manifest: makeManifest(image.config, [first, shrunk]) },
      makeImage(layers, { diffIds: image.tars.map(() => `sha256:${sha256Of("other")}`) }),
    ];
    for (const made of cases) {
      await using server = await openHostileRegistry(blobsOf({ ...made, layers: image.layers }));
      await using place = await openPlace();
      const pinned = lockImage(nameIn(server.registry, made.manifest.sha256), depsIn(place));
      await expect(pinned).rejects.toMatchObject({ kind: "alarm" });
      expect(readdirSync(join(place.store.root, "trees"))).toEqual([]);
    }
  });

  it("by breaking the line is the world's fault, and the next try takes up what came", async () => {
    await using server = await openHostileRegistry(blobsOf(image));
    await using place = await openPlace();
    const name = nameIn(server.registry, image.manifest.sha256);
    server.lie = ({ path }, honest) => (path.includes("/blobs/") ? { ...honest, cutAfterBytes: 100 } : undefined);
    await expect(lockImage(name, depsIn(place))).rejects.toMatchObject({ kind: "world", code: "NETWORK" });
    server.lie = () => undefined;
    await lockImage(name, depsIn(place));
  });

  it("with a manifest, config or image that is too large is refused before it is fetched", async () => {
    const huge = { ...image.layers[0], bytes: { length: 20 * 1024 ** 3 } } as unknown as MadeImage["config"];
    const made = { ...image, manifest: makeManifest(image.config, [image.layers[0] ?? image.config, huge]) };
    await using server = await openHostileRegistry(blobsOf(made));
    await using place = await openPlace();
    const name = nameIn(server.registry, made.manifest.sha256);
    await expect(lockImage(name, depsIn(place))).rejects.toMatchObject({ kind: "world", code: "IMAGE_TOO_LARGE" });
    server.lie = ({ path }) => (path.includes("/manifests/") ? { body: Buffer.alloc(5 << 20) } : undefined);
    const again = nameIn(server.registry, sha256Of("x"));
    await expect(lockImage(again, depsIn(place))).rejects.toMatchObject({ kind: "world", code: "HTTP_TOO_LARGE" });
    expect(server.asked.some(({ path }) => path.includes(image.layers[0]?.sha256 ?? "-"))).toBe(false);
  });
});

describe("what cannot be a compiler is refused by name", () => {
  it("an index without this host, and an image of another one", async () => {
    const foreign = makeImage(layers, { platform: arm64 });
    const newer = makeImage(layers, { platform: { ...amd64, variant: "v3" } });
    const index = makeIndex([
      [foreign.manifest, arm64],
      [newer.manifest, { ...amd64, variant: "v3" }],
      [image.manifest, attestation],
    ]);
    await using server = await openHostileRegistry([index, ...blobsOf(foreign)]);
    await using place = await openPlace();
    for (const [{ sha256 }, hint] of [
      [index, "linux/arm64/v8, linux/amd64/v3"],
      [foreign.manifest, "linux/arm64/v8"],
    ] as const)
      await expect(lockImage(nameIn(server.registry, sha256), depsIn(place))).rejects.toMatchObject({
        kind: "caller",
        code: "IMAGE_PLATFORM",
        hint: `it is for ${hint}`,
      });
  });

  it("a tag without digest, a chart, Docker's first schema, and a layer of an unknown kind", async () => {
    await using place = await openPlace();
    await expect(lockImage("docker.io/library/gcc:14", depsIn(place))).rejects.toMatchObject({
      kind: "caller",
      code: "IMAGE_REFERENCE_INVALID",
      hint: "twinseal pin --resolve-image docker.io/library/gcc:14 prints it",
    });
    const chart = makeManifest(
      { ...image.config, mediaType: "application/vnd.cncf.helm.config.v1+json" },
      image.layers,
    );
    const foreign = makeManifest(
      image.config,
      image.layers.map((layer) => ({ ...layer, mediaType: "application/vnd.oci.image.layer.v1.tar+lzma" })),
    );
    const first = { ...image.manifest, bytes: Buffer.from('{"schemaVersion":1,"fsLayers":[]}') };
    const both = { ...image.manifest, bytes: Buffer.from('{"schemaVersion":2,"manifests":[],"layers":[]}') };
    const documents = [chart, foreign, first, both].map((blob) => ({ ...blob, sha256: sha256Of(blob.bytes) }));
    await using server = await openHostileRegistry([...documents, image.config, ...image.layers]);
    for (const { sha256 } of documents)
      await expect(lockImage(nameIn(server.registry, sha256), depsIn(place))).rejects.toMatchObject({
        kind: "caller",
        code: "IMAGE_UNSUPPORTED",
      });
    expect(kept(place).filter((name) => name.length === 64)).toEqual([]);
  });
});

it("a packed image that is larger than it says unpacks no further than its digest", async () => {
  const tar = Buffer.alloc(1 << 20);
  const bomb = { ...image.layers[0], bytes: gzipSync(tar), sha256: sha256Of(gzipSync(tar)) } as MadeImage["config"];
  const manifest = makeManifest(image.config, [bomb, image.layers[1] ?? bomb]);
  await using server = await openHostileRegistry([manifest, image.config, bomb, ...image.layers]);
  await using place = await openPlace();
  await expect(lockImage(nameIn(server.registry, manifest.sha256), depsIn(place))).rejects.toMatchObject({
    kind: "alarm",
    code: "DIGEST_MISMATCH",
  });
  expect(readdirSync(join(place.store.root, "trees"))).toEqual([]);
});
