import { createHash } from "node:crypto";
import { sha256Of } from "../../builder/digest.ts";
import { goModH1 } from "../../builder/inputs/h1.ts";
import { lockSchema, type Lock } from "../../builder/recipe/lock.ts";

export type SampleModule = {
  readonly path: string;
  readonly version: string;
  readonly goMod: Uint8Array;
  readonly zip: Uint8Array;
};

/** Bytes that look random and are the same each time. */
export function sampleBytes(seed: string, sizeBytes: number): Buffer {
  return createHash("shake256", { outputLength: sizeBytes }).update(seed).digest();
}

export function sampleModule(name: string, zipBytes: number): SampleModule {
  return {
    path: `example.test/${name}`,
    version: "v1.0.0",
    goMod: Buffer.from(`module example.test/${name}\n`),
    zip: sampleBytes(name, zipBytes),
  };
}

/** Where a module proxy has them. */
export function moduleFiles(modules: readonly SampleModule[]): Record<string, Uint8Array> {
  return Object.fromEntries(
    modules.flatMap(({ path, version, goMod, zip }) => [
      [`/${path}/@v/${version}.mod`, goMod],
      [`/${path}/@v/${version}.zip`, zip],
    ]),
  );
}

const blobOf = (bytes: Uint8Array) => ({ sha256: sha256Of(bytes), sizeBytes: bytes.length });

/** A lock of a local source that needs these modules; its toolchain is for a host that nobody has here. */
export function sampleLock(modules: readonly SampleModule[]): Lock {
  return lockSchema.parse({
    lock: 1,
    name: "sample",
    version: "1.0.0",
    recipe: { sha256: sha256Of("recipe") },
    source: { kind: "path", path: "." },
    go: {
      version: "1.25.0",
      toolchains: [
        {
          host: "linux/arm64",
          version: "v0.0.1-go1.25.0.linux-arm64",
          h1: goModH1(Buffer.from("x")),
          zip: blobOf(Buffer.from("x")),
        },
      ],
    },
    modules: modules.map(({ path, version, goMod, zip }) => ({
      path,
      version,
      goMod: { ...blobOf(goMod), h1: goModH1(goMod) },
      zip: { ...blobOf(zip), h1: goModH1(goMod) },
    })),
    files: [],
    inputs: [],
    checksumDatabase: { name: "sum.golang.org", treeSize: 1, rootHash: "x" },
  });
}
