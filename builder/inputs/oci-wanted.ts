import type { Blob, LockedImage } from "../recipe/lock.ts";
import { blobUrl, digestText, manifestUrl, parseReference } from "./oci-reference.ts";
import type { WantedBlob } from "./plan-fetch.ts";

export const IMAGE_HINT = "is the image still in its registry? an image in a file comes with --image-from";

/** What a lock needs of an image, and where its registry has it. Pure. */
export function imageBlobs(locked: LockedImage): readonly WantedBlob[] {
  const reference = parseReference(locked.image);
  const { index, manifest, config, layers } = locked;
  const want = (label: string, { sha256, sizeBytes }: Blob, url: string): WantedBlob => ({
    label: `${label} of ${locked.image}`,
    sha256,
    sizeBytes,
    urls: [url],
    from: "lock",
    hint: IMAGE_HINT,
  });
  return [
    ...(index === undefined ? [] : [want("index", index, manifestUrl(reference, digestText(index.sha256)))]),
    want("manifest", manifest, manifestUrl(reference, digestText(manifest.sha256))),
    want("config", config, blobUrl(reference, config.sha256)),
    ...layers.map((layer, at) => want(`layer ${at + 1}`, layer, blobUrl(reference, layer.sha256))),
  ];
}
