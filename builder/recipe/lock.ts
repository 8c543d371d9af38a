import { z } from "zod";
import { h1Schema, sha256Schema } from "../digest.ts";
import { pinnedImagePattern } from "../inputs/oci-reference.ts";
import { hostSchema } from "../platform.ts";
import { placeSchema } from "./file-schema.ts";
import { relativePathSchema, versionSchema } from "./text-schema.ts";

/**
 * The lock: the exact inputs of one version, written by `pin` only, as canonical JSON. It holds identities, digests
 * and sizes, never a place to fetch from.
 */
const blobSchema = z.strictObject({ sha256: sha256Schema, sizeBytes: z.int().nonnegative() });
const oidSchema = z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/);

const lockedSourceSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("module"),
    path: z.string(),
    version: z.string(),
    h1: h1Schema,
    goModH1: h1Schema,
    zip: blobSchema,
  }),
  z.strictObject({
    kind: z.literal("git"),
    url: z.string(),
    tag: z.string(),
    /** The tag object, or the commit for a lightweight tag. */
    oid: oidSchema,
    commit: oidSchema,
    tree: oidSchema,
    /** Those whose files are part of the source, from the outermost on; the others are empty directories. */
    submodules: z.array(z.strictObject({ path: relativePathSchema, commit: oidSchema, tree: oidSchema })).optional(),
    /** The tree as a canonical tar (sorted, portable, zero times). */
    archive: blobSchema,
  }),
  z.strictObject({ kind: z.literal("path"), path: relativePathSchema }),
]);

export const lockedToolchainSchema = z.strictObject({
  host: hostSchema,
  /** Version of the module golang.org/toolchain, for example v0.0.1-go1.25.7.linux-amd64. */
  version: z.string(),
  h1: h1Schema,
  zip: blobSchema,
  /** The archive of Go's download page, where that page could be read. */
  archive: blobSchema.optional(),
});

export const lockedModuleSchema = z.strictObject({
  path: z.string(),
  version: z.string(),
  goMod: blobSchema.extend({ h1: h1Schema }),
  /** How it was proven where the checksum database had no record: by the go.sum of the proven source. */
  provenBy: z.literal("go.sum").optional(),
  /** Absent where only the go.mod takes part in the resolution. */
  zip: blobSchema.extend({ h1: h1Schema }).optional(),
});

/** The compiler's root file system, as `rootfsTree` extracts and digests it. */
export const lockedRootfsSchema = z.strictObject({
  sha256: sha256Schema,
  files: z.int().positive(),
  sizeBytes: z.int().positive(),
});

export const lockedPackageSchema = blobSchema.extend({
  name: z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/),
  version: z.string().regex(/^[0-9A-Za-z.+:~-]+$/),
  architecture: z.string().regex(/^[a-z0-9-]+$/),
  /** Below a mirror, for example pool/main/g/gcc-14/gcc-14_14.2.0-19_amd64.deb. */
  pool: relativePathSchema,
});

export const lockedLayerSchema = blobSchema.extend({ mediaType: z.string() });

const lockedCompilerSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("debian"),
    /** What the compiler runs on: no other host can build this lock. */
    host: hostSchema,
    suite: z.string(),
    /** Unix seconds of the suite's Release file: the snapshot archive has what the mirrors have dropped. */
    releasedAt: z.int().nonnegative(),
    /** In the order in which they are laid over each other: sorted by name, each name once. */
    packages: z
      .array(lockedPackageSchema)
      .min(1)
      .refine(
        (packages) => packages.every(({ name }, index) => index === 0 || (packages[index - 1]?.name ?? "") < name),
        "must be sorted by name, each name once",
      ),
    rootfs: lockedRootfsSchema,
  }),
  z.strictObject({
    kind: z.literal("image"),
    host: hostSchema,
    /** As the recipe writes it. */
    image: z.string().regex(pinnedImagePattern),
    /** Where the recipe's digest is that of an index: what leads from it to the manifest of this host. */
    index: blobSchema.optional(),
    manifest: lockedLayerSchema,
    config: blobSchema,
    layers: z.array(lockedLayerSchema).min(1),
    rootfs: lockedRootfsSchema,
  }),
]);

const lockedFileSchema = z.union([
  blobSchema.extend({ url: z.string(), to: placeSchema }),
  /** Out of the zip of a module of this lock. */
  blobSchema.extend({ module: z.string(), version: z.string(), path: relativePathSchema, to: placeSchema }),
]);
export type LockedFile = z.infer<typeof lockedFileSchema>;

export const lockSchema = z.strictObject({
  lock: z.literal(1),
  name: z.string(),
  version: versionSchema,
  /** SHA-256 of the recipe's canonical JSON: `build` refuses a lock made from another recipe. */
  recipe: z.strictObject({ sha256: sha256Schema }),
  source: lockedSourceSchema,
  /** Unix seconds of the locked commit (git) or of the version's publication (module); absent for a path source. */
  sourceDateEpoch: z.int().nonnegative().optional(),
  go: z.strictObject({ version: z.string(), toolchains: z.array(lockedToolchainSchema).min(1) }),
  /** The C toolchain, where the recipe has one. */
  compiler: lockedCompilerSchema.optional(),
  modules: z.array(lockedModuleSchema),
  files: z.array(lockedFileSchema),
  /** Matched outputs of other recipes, by the digest of their artifact: room for it, empty for now. */
  inputs: z.array(blobSchema.extend({ recipe: z.string(), to: relativePathSchema })),
  /** The tree head under which toolchain and modules were proven. */
  checksumDatabase: z.strictObject({ name: z.string(), treeSize: z.int().positive(), rootHash: z.string() }),
});

export type Lock = z.infer<typeof lockSchema>;
export type Blob = z.infer<typeof blobSchema>;
export type LockedSource = Lock["source"];
export type LockedToolchain = z.infer<typeof lockedToolchainSchema>;
export type LockedCompiler = z.infer<typeof lockedCompilerSchema>;
export type LockedDebian = Extract<LockedCompiler, { readonly kind: "debian" }>;
export type LockedImage = Extract<LockedCompiler, { kind: "image" }>;
export type LockedPackage = z.infer<typeof lockedPackageSchema>;
export type LockedLayer = z.infer<typeof lockedLayerSchema>;
export type LockedRootfs = z.infer<typeof lockedRootfsSchema>;
export type LockedModule = z.infer<typeof lockedModuleSchema>;
