import { z } from "zod";
import { sha256Of, type Sha256 } from "../digest.ts";
import { TwinsealError } from "../errors.ts";
import type { LockedImage } from "../recipe/lock.ts";
import { relativePathSchema } from "../recipe/text-schema.ts";
import type { Store } from "../store/store.ts";
import { openImageArchive, type ImageArchive } from "./image-archive.ts";
import { describeLayers, type DescribedLayer, type ImageSource } from "./oci-image.ts";
import { MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES, parseConfig } from "./oci-manifest.ts";
import { digestText } from "./oci-reference.ts";
import { layOutImage, type ImageLayer } from "./oci-rootfs.ts";
import { rootfsTree } from "./rootfs.ts";

/**
 * An image in a file: an OCI layout (image-spec 1.1, image-layout.md) as a directory or a tar, or what `docker save` wrote.
 *
 * - A layout holds manifests, and an image is found in it by the digest of its manifest or index, as in a registry.
 * - `docker save` of Docker 25 or newer writes a layout. With Docker's older image store its layers are unpacked, so
 *   that its manifest is another one than the registry's.
 * - What older versions write has no manifest, hence no digest that a recipe could name.
 *
 * In all of them the config has the digest that it has in the registry, and it names the digest of each unpacked layer.
 * So `takeImage`, which has a lock, proves any of them by the lock's config; `fileSource` needs a manifest.
 */
export async function fileSource(path: string): Promise<ImageSource> {
  const archive = await openImageArchive(path);
  return {
    readManifest: async (sha256) => {
      const bytes = await readVerified(archive, blobName(sha256), sha256, MAX_MANIFEST_BYTES);
      if (bytes === undefined) throw await notThere(`manifest ${digestText(sha256)}`, path, archive);
      return bytes;
    },
    readConfig: async ({ sha256 }) => {
      const bytes =
        (await readVerified(archive, blobName(sha256), sha256, MAX_CONFIG_BYTES)) ??
        (await findSaved(archive, sha256))?.config;
      if (bytes === undefined) throw await notThere(`image whose config is ${digestText(sha256)}`, path, archive);
      return bytes;
    },
    openLayers: async (layers, config) => {
      const saved = (await findSaved(archive, config.sha256))?.layers ?? [];
      const opened: ImageLayer[] = [];
      for (const [at, layer] of layers.entries()) {
        const found = findLayer(archive, layer) ?? (await savedLayer(archive, layer, saved[at]));
        if (found === undefined) throw await notThere(`layer ${digestText(layer.sha256)}`, path, archive);
        opened.push(found);
      }
      return opened;
    },
  };
}

/**
 * Lays a locked image out in the store from a file. Config and unpacked layers are proven by the lock's digests, and so
 * is what comes of them. Throws `caller/IMAGE_NOT_IN_FILE`, `alarm/DIGEST_MISMATCH`.
 */
export async function takeImage(locked: LockedImage, path: string, store: Store): Promise<void> {
  const source = await fileSource(path);
  const { rootfs } = parseConfig(await source.readConfig(locked.config), `the config of ${locked.image}`);
  const layers = describeLayers(locked.layers, rootfs.diff_ids, locked.image);
  const opened = await source.openLayers(layers, locked.config);
  await rootfsTree(store, locked.rootfs, (dir) => layOutImage(opened, dir));
}

const blobName = (sha256: Sha256) => `blobs/sha256/${sha256}`;

/** As the manifest has it, or unpacked; which of them it is, its unpacked digest tells when it is read. */
function findLayer(archive: ImageArchive, { sha256, diffId, mediaType }: DescribedLayer): ImageLayer | undefined {
  const packed = blobName(sha256);
  if (archive.sizeOf(packed) !== undefined) return { mediaType, diffId, open: () => archive.open(packed) };
  const unpacked = blobName(diffId);
  if (archive.sizeOf(unpacked) === undefined) return undefined;
  return { mediaType: layerType(""), diffId, open: () => archive.open(unpacked) };
}

/** `docker save` leaves layers unpacked; others who write its format pack them and do not say so. */
async function savedLayer(
  archive: ImageArchive,
  { diffId }: DescribedLayer,
  name: string | undefined,
): Promise<ImageLayer | undefined> {
  if (name === undefined || archive.sizeOf(name) === undefined) return undefined;
  let magic = "";
  for await (const chunk of archive.open(name)) {
    if (Buffer.isBuffer(chunk)) magic = chunk.toString("latin1", 0, 4);
    break;
  }
  const packing = magic.startsWith("\x1f\x8b") ? "+gzip" : magic === "(\xb5/\xfd" ? "+zstd" : "";
  return { mediaType: layerType(packing), diffId, open: () => archive.open(name) };
}

const layerType = (packing: string) => `application/vnd.oci.image.layer.v1.tar${packing}`;

/** `docker save`'s own list; there are layouts without one. How it names configs has changed over the years. */
const dockerManifestSchema = z.array(z.object({ Config: relativePathSchema, Layers: z.array(relativePathSchema) }));

type SavedImage = { readonly config: Buffer; readonly layers: readonly string[] };

async function findSaved(archive: ImageArchive, configSha256: Sha256): Promise<SavedImage | undefined> {
  const listed = dockerManifestSchema.safeParse(await readJson(archive, "manifest.json"));
  for (const { Config, Layers } of listed.success ? listed.data : []) {
    const config = await readSmall(archive, Config, MAX_CONFIG_BYTES);
    if (config !== undefined && sha256Of(config) === configSha256) return { config, layers: Layers };
  }
  return undefined;
}

const indexSchema = z.object({
  manifests: z.array(z.object({ digest: z.string(), annotations: z.record(z.string(), z.string()).optional() })),
});

async function notThere(what: string, path: string, archive: ImageArchive): Promise<TwinsealError> {
  const index = indexSchema.safeParse(await readJson(archive, "index.json"));
  const held = index.success
    ? index.data.manifests.map(({ digest, annotations: known = {} }) =>
        [known["io.containerd.image.name"] ?? known["org.opencontainers.image.ref.name"], digest]
          .filter((part) => part !== undefined)
          .join("@"),
      )
    : [];
  return new TwinsealError("caller", "IMAGE_NOT_IN_FILE", `${path} has no ${what}`, {
    hint:
      held.length > 0
        ? `it has ${held.join(", ")}; a recipe names an image by one digest, and docker save may have another than the registry: pin with the registry once, or write this one`
        : "it has no manifests, so no digest to be named by: write it with Docker 25 or newer, or as an OCI layout (skopeo copy); twinseal fetch can use it once the image is locked",
  });
}

async function readJson(archive: ImageArchive, name: string): Promise<unknown> {
  const bytes = await readSmall(archive, name, MAX_MANIFEST_BYTES);
  try {
    return bytes === undefined ? undefined : JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}

async function readVerified(
  archive: ImageArchive,
  name: string,
  sha256: Sha256,
  maxBytes: number,
): Promise<Buffer | undefined> {
  const bytes = await readSmall(archive, name, maxBytes);
  if (bytes === undefined || sha256Of(bytes) === sha256) return bytes;
  throw new TwinsealError("alarm", "DIGEST_MISMATCH", `${name} of the image's file has the sha256 ${sha256Of(bytes)}`, {
    hint: "the file is damaged, or somebody changed it; nothing of it was kept",
  });
}

async function readSmall(archive: ImageArchive, name: string, maxBytes: number): Promise<Buffer | undefined> {
  const sizeBytes = archive.sizeOf(name);
  if (sizeBytes === undefined || sizeBytes === 0) return undefined;
  if (sizeBytes > maxBytes) throw new TwinsealError("caller", "IMAGE_FILE_UNFIT", `${name} has ${sizeBytes} bytes`);
  const chunks: Buffer[] = [];
  for await (const chunk of archive.open(name)) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
