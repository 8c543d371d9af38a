import { z } from "zod";
import { sha256Of, type Sha256 } from "../digest.ts";
import { TwinsealError } from "../errors.ts";
import type { Blob, LockedImage } from "../recipe/lock.ts";
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
  const images = await readDockerManifest(archive);
  const imageOf = ({ sha256 }: Blob) => images.find(({ Config }) => isNamed(Config, sha256));
  return {
    readManifest: async (sha256) => {
      const bytes = await readVerified(archive, blobName(sha256), sha256, MAX_MANIFEST_BYTES);
      if (bytes === undefined) throw await notThere(`manifest ${digestText(sha256)}`, path, archive);
      return bytes;
    },
    readConfig: async (config) => {
      const names = [
        blobName(config.sha256),
        ...(imageOf(config) === undefined ? [] : [imageOf(config)?.Config ?? ""]),
      ];
      for (const name of names) {
        const bytes = await readVerified(archive, name, config.sha256, MAX_CONFIG_BYTES);
        if (bytes !== undefined) return bytes;
      }
      throw await notThere(`image whose config is ${digestText(config.sha256)}`, path, archive);
    },
    openLayers: async (layers, config) => {
      const unpacked = imageOf(config)?.Layers ?? [];
      const opened: ImageLayer[] = [];
      for (const [at, layer] of layers.entries()) {
        const found = findLayer(archive, layer, unpacked[at]);
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

const UNPACKED = "application/vnd.oci.image.layer.v1.tar";
const blobName = (sha256: Sha256) => `blobs/sha256/${sha256}`;

/** As the manifest has it, or unpacked; which of them it is, its unpacked digest tells when it is read. */
function findLayer(archive: ImageArchive, layer: DescribedLayer, saved: string | undefined): ImageLayer | undefined {
  const { sha256, diffId, mediaType } = layer;
  const packed = blobName(sha256);
  if (archive.sizeOf(packed) !== undefined) return { mediaType, diffId, open: () => archive.open(packed) };
  const name = [blobName(diffId), saved].find((one) => one !== undefined && archive.sizeOf(one) !== undefined);
  return name === undefined ? undefined : { mediaType: UNPACKED, diffId, open: () => archive.open(name) };
}

/** `docker save`'s own list; there are layouts without one. Config is `<hex>.json`, later `blobs/sha256/<hex>`. */
const dockerManifestSchema = z.array(
  z.object({
    Config: relativePathSchema,
    RepoTags: z.array(z.string()).nullish(),
    Layers: z.array(relativePathSchema),
  }),
);
type DockerImage = z.infer<typeof dockerManifestSchema>[number];

async function readDockerManifest(archive: ImageArchive): Promise<readonly DockerImage[]> {
  const parsed = dockerManifestSchema.safeParse(await readJson(archive, "manifest.json"));
  return parsed.success ? parsed.data : [];
}

function isNamed(config: string, sha256: Sha256): boolean {
  return config === `${sha256}.json` || config === blobName(sha256);
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
