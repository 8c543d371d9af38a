import { TwinsealError } from "../errors.ts";
import type { Http } from "../http.ts";
import { lockedLayers, readImage, type ImageSource } from "../inputs/oci-image.ts";
import { fileSource } from "../inputs/oci-layout.ts";
import { pulledSource } from "../inputs/oci-pull.ts";
import { digestText, parseReference } from "../inputs/oci-reference.ts";
import { createRegistryHttp, fetchManifest, type RegistryAuth } from "../inputs/oci-registry.ts";
import { layOutImage } from "../inputs/oci-rootfs.ts";
import { makeRootfs } from "../inputs/rootfs.ts";
import type { Host } from "../platform.ts";
import type { Store } from "../store/store.ts";
import type { LockedImage } from "./lock.ts";

export type ImagePinDeps = {
  readonly store: Store;
  readonly http: Http;
  readonly host: Host;
  readonly registryAuth?: RegistryAuth | undefined;
  /** An OCI layout or a `docker save` file to take the image from instead of its registry. */
  readonly imageFrom?: string | undefined;
  readonly say: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Locks the image that a recipe names by digest, for this host, and unpacks it once: its root file system is in the
 * store afterwards. Throws what `readImage`, `layOutImage` and the source throw.
 */
export async function lockImage(image: string, deps: ImagePinDeps): Promise<LockedImage> {
  const { digest } = parseReference(image);
  if (digest === undefined) throw noDigest(image);
  deps.say(`locking ${image} for ${deps.host}`);
  const source = await sourceOf(image, deps);
  const { index, manifest, config, layers } = await readImage(digest, image, deps.host, source);
  const opened = await source.openLayers(layers, config);
  await using made = await makeRootfs(deps.store, (dir) => layOutImage(opened, dir));
  await made.keep();
  return {
    kind: "image",
    host: deps.host,
    image,
    ...(index === undefined ? {} : { index }),
    manifest,
    config,
    layers: lockedLayers(layers),
    rootfs: made.rootfs,
  };
}

async function sourceOf(image: string, deps: ImagePinDeps): Promise<ImageSource> {
  if (deps.imageFrom !== undefined) return fileSource(deps.imageFrom);
  const reference = parseReference(image);
  const http = createRegistryHttp(reference, deps.http, deps.registryAuth);
  return pulledSource(reference, { store: deps.store, http, say: deps.say, signal: deps.signal });
}

/**
 * The name with the digest that its tag has now, as a recipe wants it; the digest is that of the index where the tag
 * stands for several platforms. Throws `alarm/DIGEST_MISMATCH`, `world/IMAGE_NOT_FOUND`, `world/REGISTRY_DENIED`.
 */
export async function resolveImage(
  name: string,
  deps: Pick<ImagePinDeps, "http" | "registryAuth" | "signal">,
): Promise<string> {
  const reference = parseReference(name);
  const http = createRegistryHttp(reference, deps.http, deps.registryAuth);
  const asked = reference.digest === undefined ? (reference.tag ?? "latest") : digestText(reference.digest);
  const { sha256 } = await fetchManifest(reference, asked, http, deps.signal);
  return `${name.replace(/@sha256:.*$/, "")}@${digestText(sha256)}`;
}

function noDigest(image: string): TwinsealError {
  return new TwinsealError("caller", "IMAGE_REFERENCE_INVALID", `${image} names no digest, and a tag can be moved`, {
    hint: `twinseal pin --resolve-image ${image} prints it`,
  });
}
