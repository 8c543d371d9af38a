import type { Sha256 } from "../digest.ts";
import type { Host } from "../platform.ts";
import type { Lock } from "../recipe/lock.ts";
import { moduleFilePath } from "./go-proxy.ts";
import { TOOLCHAIN_MODULE } from "./go-toolchain.ts";

/** One blob that a lock needs on a host, and where it can come from: below a module proxy, at a URL, or from git. */
export type WantedBlob = {
  readonly label: string;
  readonly sha256: Sha256;
  readonly sizeBytes: number;
} & ({ readonly kind: "proxy"; readonly path: string } | { readonly kind: "url"; readonly url: string } | { readonly kind: "git" });

/** Everything a lock needs on one host, each digest once. */
export function wantedBlobs(lock: Lock, host: Host): readonly WantedBlob[] {
  const wanted: WantedBlob[] = [];
  const proxy = (label: string, path: string, blob: { sha256: Sha256; sizeBytes: number }) =>
    wanted.push({ kind: "proxy", label, path, sha256: blob.sha256, sizeBytes: blob.sizeBytes });
  for (const toolchain of lock.go.toolchains) {
    if (toolchain.host === host) proxy(`go ${lock.go.version} ${host}`, moduleFilePath(TOOLCHAIN_MODULE, toolchain.version, "zip"), toolchain.zip);
  }
  const { source } = lock;
  if (source.kind === "module") proxy(`${source.path} ${source.version}`, moduleFilePath(source.path, source.version, "zip"), source.zip);
  if (source.kind === "git") wanted.push({ kind: "git", label: `${source.url} ${source.tag}`, ...source.archive });
  for (const { path, version, goMod, zip } of lock.modules) {
    proxy(`${path} ${version} go.mod`, moduleFilePath(path, version, "mod"), goMod);
    if (zip !== undefined) proxy(`${path} ${version}`, moduleFilePath(path, version, "zip"), zip);
  }
  for (const { url, sha256, sizeBytes } of lock.files) wanted.push({ kind: "url", label: url, url, sha256, sizeBytes });
  return [...new Map(wanted.map((blob) => [blob.sha256, blob])).values()];
}
