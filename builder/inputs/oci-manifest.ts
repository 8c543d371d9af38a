import { z } from "zod";
import { sha256Schema } from "../digest.ts";
import { TwinsealError } from "../errors.ts";
import { splitPlatform, type Host } from "../platform.ts";

/** The documents of an image (OCI image-spec 1.1: index, manifest and config; and Docker's, which have the same keys). */
export const MAX_MANIFEST_BYTES = 4 << 20;
export const MAX_CONFIG_BYTES = 8 << 20;

const indexTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
] as const;
const manifestTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
] as const;
const configTypes: readonly string[] = [
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
];
/** For the Accept header of a request for a manifest. */
export const acceptedManifests = [...indexTypes, ...manifestTypes].join(", ");

const digestSchema = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, "is no sha256 digest")
  .transform((digest) => sha256Schema.parse(digest.slice("sha256:".length)));
const descriptorSchema = z.object({
  mediaType: z.string(),
  digest: digestSchema,
  size: z.int().nonnegative(),
});
const platformSchema = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });

const indexSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.enum(indexTypes).optional(),
  manifests: z.array(descriptorSchema.extend({ platform: platformSchema.optional() })),
});
const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.enum(manifestTypes).optional(),
  config: descriptorSchema,
  layers: z.array(descriptorSchema).min(1),
});
const configSchema = platformSchema.extend({
  rootfs: z.object({ type: z.literal("layers"), diff_ids: z.array(digestSchema).min(1) }),
});

export type Descriptor = z.infer<typeof descriptorSchema>;
export type ImageIndex = z.infer<typeof indexSchema>;
export type ImageManifest = z.infer<typeof manifestSchema>;
export type ImageConfig = z.infer<typeof configSchema>;

/** Tells an index from a manifest by what it holds: the keys of both would be two images under one digest. */
export function parseIndexOrManifest(bytes: Uint8Array, what: string): ImageIndex | ImageManifest {
  const document = parseJson(bytes, what);
  const keys = typeof document === "object" && document !== null ? Object.keys(document) : [];
  const isIndex = keys.includes("manifests");
  if (isIndex && (keys.includes("layers") || keys.includes("config")))
    throw invalid(what, "is an index and a manifest at once");
  return isIndex ? check(indexSchema, document, what) : parseManifestDocument(document, what);
}

/** Throws `caller/IMAGE_UNSUPPORTED` for what is no image, or one of another kind. */
export function parseManifest(bytes: Uint8Array, what: string): ImageManifest {
  return parseManifestDocument(parseJson(bytes, what), what);
}

function parseManifestDocument(document: unknown, what: string): ImageManifest {
  const manifest = check(manifestSchema, document, what);
  if (!configTypes.includes(manifest.config.mediaType))
    throw invalid(what, `has a config of the kind ${manifest.config.mediaType}, as no image has`);
  return manifest;
}

export function parseConfig(bytes: Uint8Array, what: string): ImageConfig {
  return check(configSchema, parseJson(bytes, what), what);
}

/** What of an index is for a host. Throws `caller/IMAGE_PLATFORM`. */
export function chooseManifest(index: ImageIndex, host: Host, image: string): Descriptor {
  const found = index.manifests.find(({ platform }) => platform !== undefined && isFor(platform, host));
  if (found !== undefined) return found;
  throw platformError(
    image,
    host,
    index.manifests.flatMap(({ platform }) => (platform === undefined ? [] : [platform])),
  );
}

/** Throws `caller/IMAGE_PLATFORM`. */
export function assertPlatform(platform: ImagePlatform, host: Host, image: string): void {
  if (!isFor(platform, host)) throw platformError(image, host, [platform]);
}

type ImagePlatform = z.infer<typeof platformSchema>;

/** A variant beyond the first of amd64 needs instructions that not every host has; arm64 has one. */
function isFor({ os, architecture, variant }: ImagePlatform, host: Host): boolean {
  const { goos, goarch } = splitPlatform(host);
  const usual = goarch === "arm64" ? "v8" : "v1";
  return os === goos && architecture === goarch && (variant === undefined || variant === "" || variant === usual);
}

function platformError(image: string, host: Host, known: readonly ImagePlatform[]): TwinsealError {
  const names = known
    .filter(({ os }) => os !== "unknown") // attestations of buildkit
    .map(({ os, architecture, variant }) => [os, architecture, variant].filter(Boolean).join("/"));
  return new TwinsealError("caller", "IMAGE_PLATFORM", `${image} has nothing for ${host}`, {
    hint: names.length === 0 ? "it names no platform" : `it is for ${names.join(", ")}`,
  });
}

function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalid(what, "is not JSON", error);
  }
}

function check<T>(schema: z.ZodType<T>, document: unknown, what: string): T {
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw invalid(what, `is not what twinseal reads: ${z.prettifyError(parsed.error)}`, parsed.error);
}

function invalid(what: string, why: string, cause?: unknown): TwinsealError {
  return new TwinsealError("caller", "IMAGE_UNSUPPORTED", `${what} ${why}`, {
    hint: "name an OCI or Docker (schema 2) image",
    ...(cause === undefined ? {} : { cause }),
  });
}
