import type { Sha256 } from "../digest.ts";
import type { Host } from "../platform.ts";
import type { Blob, Lock, LockedDebian } from "../recipe/lock.ts";
import { packageUrl, snapshotMirror } from "./debian-mirrors.ts";
import { imageBlobs } from "./oci-wanted.ts";
import { moduleUrl, toolchainModule } from "./go-proxy.ts";

/** Where blobs are fetched from. */
export type Places = { readonly proxies: readonly string[]; readonly debianMirrors: readonly string[] };
export const nowhere: Places = { proxies: [], debianMirrors: [] };

/** One blob that a lock needs on this host, and the places where it may be had; none of them is trusted. */
export type WantedBlob = {
  readonly label: string;
  readonly sha256: Sha256;
  readonly sizeBytes: number;
  readonly urls: readonly string[];
  /** Whose places those are: the caller's to name, or the lock's own. */
  readonly from: keyof Places | "lock";
  /** What to do when none of them has it. */
  readonly hint: string;
};

const proxyHint = "look at GOPROXY";

/** Pure: every blob once, the largest first, so that none is left over at the end. Git archives have no URL. */
export function planFetch(lock: Lock, host: Host, places: Places): readonly WantedBlob[] {
  const { proxies } = places;
  const wanted = [
    ...toolchains(lock, host, proxies),
    ...(lock.compiler?.kind === "debian" && lock.compiler.host === host
      ? packages(lock.compiler, places.debianMirrors)
      : []),
    ...(lock.compiler?.kind === "image" && lock.compiler.host === host ? imageBlobs(lock.compiler) : []),
    ...modules(lock, proxies),
    ...source(lock, proxies),
    ...files(lock),
  ];
  const bySha256 = new Map(wanted.map((blob) => [blob.sha256, blob]));
  return [...bySha256.values()].toSorted((a, b) => b.sizeBytes - a.sizeBytes);
}

/** Every digest that a lock names, for all hosts, a tree's too: what the garbage collection must keep. */
export function blobsOf(lock: Lock): readonly Sha256[] {
  return [
    ...lock.go.toolchains.flatMap(({ zip, archive }) => (archive === undefined ? [zip] : [zip, archive])),
    ...lock.modules.flatMap(({ goMod, zip }) => (zip === undefined ? [goMod] : [goMod, zip])),
    ...(lock.source.kind === "git" ? [lock.source.archive] : []),
    ...(lock.source.kind === "module" ? [lock.source.zip] : []),
    ...lock.files.filter((file) => "url" in file),
    ...lock.inputs,
    ...(lock.compiler?.kind === "debian" ? lock.compiler.packages : []),
    ...(lock.compiler?.kind === "image" ? imageBlobs(lock.compiler) : []),
    ...(lock.compiler === undefined ? [] : [lock.compiler.rootfs]),
  ].map(({ sha256 }) => sha256);
}

function want(
  label: string,
  { sha256, sizeBytes }: Blob,
  urls: readonly string[],
  from: WantedBlob["from"] = "proxies",
  hint = proxyHint,
): WantedBlob {
  return { label, sha256, sizeBytes, urls, from, hint };
}

/** Pure: the packages of a Debian compiler. */
export function packages(
  compiler: Pick<LockedDebian, "packages" | "releasedAt">,
  mirrors: readonly string[],
): readonly WantedBlob[] {
  const hint = `it may have left the mirrors: set TWINSEAL_DEBIAN_MIRROR=${snapshotMirror(compiler.releasedAt)}`;
  return compiler.packages.map((locked) => {
    const urls = mirrors.map((mirror) => packageUrl(mirror, locked.pool));
    return want(`${locked.name} ${locked.version}`, locked, urls, "debianMirrors", hint);
  });
}

function toolchains(lock: Lock, host: Host, proxies: readonly string[]): readonly WantedBlob[] {
  return lock.go.toolchains
    .filter((toolchain) => toolchain.host === host)
    .map(({ version, zip }) =>
      want(
        `Go ${version.replace(/^v0\.0\.1-go/, "")}`,
        zip,
        proxies.map((proxy) => moduleUrl(proxy, toolchainModule, version, "zip")),
      ),
    );
}

function modules(lock: Lock, proxies: readonly string[]): readonly WantedBlob[] {
  return lock.modules.flatMap(({ path, version, goMod, zip }) => {
    const urls = (kind: "mod" | "zip") => proxies.map((proxy) => moduleUrl(proxy, path, version, kind));
    const mod = want(`${path}@${version} go.mod`, goMod, urls("mod"));
    return zip === undefined ? [mod] : [mod, want(`${path}@${version}`, zip, urls("zip"))];
  });
}

function source({ source }: Lock, proxies: readonly string[]): readonly WantedBlob[] {
  switch (source.kind) {
    case "module": {
      const { path, version, zip } = source;
      return [
        want(
          `${path}@${version}`,
          zip,
          proxies.map((proxy) => moduleUrl(proxy, path, version, "zip")),
        ),
      ];
    }
    case "git":
      return [want(`${source.url} ${source.tag}`, source.archive, [], "lock")];
    case "path":
      return [];
  }
}

function files(lock: Lock): readonly WantedBlob[] {
  return lock.files.flatMap((file) =>
    "url" in file ? [want(file.to, file, [file.url], "lock", "look at the file's url in the recipe")] : [],
  );
}
