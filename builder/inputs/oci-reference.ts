import { TwinsealError } from "../errors.ts";
import { sha256Schema, type Sha256 } from "../digest.ts";

/** An image by its name: `<registry>/<repository>[:<tag>][@sha256:<digest>]`, the registry always written out. */
export type ImageReference = {
  /** As written, with its port. */
  readonly registry: string;
  /** As the registry knows it: `library/gcc` for docker.io's `gcc`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Sha256;
};

// The distribution specification's grammar (reference.go). A first part without a dot or a port is no registry to
// anyone, but for localhost: who writes only `gcc` leaves it to somebody's default where it comes from.
const host = "(?:localhost|[a-z0-9-]+(?:\\.[a-z0-9-]+)+)(?::\\d{1,5})?|[a-z0-9-]+:\\d{1,5}";
const part = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const tag = "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}";
const pattern = new RegExp(`^(${host})/(${part}(?:/${part})*)(?::(${tag}))?(?:@sha256:([0-9a-f]{64}))?$`);

/** A name with its digest, as a recipe must have it. */
export const pinnedImagePattern = new RegExp(`^(?:${host})/${part}(?:/${part})*(?::${tag})?@sha256:[0-9a-f]{64}$`);

/** Throws `caller/IMAGE_REFERENCE_INVALID`. */
export function parseReference(text: string): ImageReference {
  const [, registry, path, tagName, digest] = pattern.exec(text) ?? [];
  if (registry === undefined || path === undefined) {
    throw new TwinsealError("caller", "IMAGE_REFERENCE_INVALID", `${JSON.stringify(text)} names no image`, {
      hint: "write registry, name and tag, for example docker.io/library/gcc:14",
    });
  }
  return {
    registry,
    repository: isDockerHub(registry) && !path.includes("/") ? `library/${path}` : path,
    ...(tagName === undefined ? {} : { tag: tagName }),
    ...(digest === undefined ? {} : { digest: sha256Schema.parse(digest) }),
  };
}

export function isDockerHub(registry: string): boolean {
  return registry === "docker.io" || registry === "index.docker.io";
}

/** Whether it is this very machine: the one case in which HTTP without TLS is spoken. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

export function digestText(digest: Sha256): string {
  return `sha256:${digest}`;
}

export function manifestUrl(reference: ImageReference, name: string): string {
  return `${repositoryUrl(reference)}manifests/${name}`;
}

export function blobUrl(reference: ImageReference, sha256: Sha256): string {
  return `${repositoryUrl(reference)}blobs/${digestText(sha256)}`;
}

/** Of one repository, with the slash at its end: `https://registry-1.docker.io/v2/library/gcc/`. */
export function repositoryUrl({ registry, repository }: ImageReference): string {
  const place = isDockerHub(registry) ? "registry-1.docker.io" : registry;
  const scheme = isLoopback(place.replace(/:\d+$/, "")) ? "http" : "https";
  return `${scheme}://${place}/v2/${repository}/`;
}
