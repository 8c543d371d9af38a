import { access, constants, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { TwinsealError, systemCodeOf } from "../errors.ts";
import { parseAptSources, type AptSource } from "./apt-sources.ts";

/**
 * Where Debian's packages are had, in the order in which they are asked: the URLs of TWINSEAL_DEBIAN_MIRROR (separated by
 * spaces or commas), else the archives with a component `main` that this machine's apt is told to use. None of them is
 * trusted. URLs have no slash at their end. Throws `caller/MIRROR_INVALID`.
 */
export async function debianMirrors(
  env: { readonly TWINSEAL_DEBIAN_MIRROR?: string | undefined },
  etcApt = "/etc/apt",
): Promise<readonly string[]> {
  const own = (env.TWINSEAL_DEBIAN_MIRROR ?? "").split(/[\s,]+/).filter((url) => url !== "");
  if (own.length === 0) return mirrorsOf(await readAptSources(etcApt));
  for (const url of own) {
    if (/^(https?|file):\/\//.test(url) && URL.canParse(url)) continue;
    throw new TwinsealError("caller", "MIRROR_INVALID", "TWINSEAL_DEBIAN_MIRROR holds what is not a URL", {
      hint: "write http, https or file URLs, for example https://<a mirror>/debian",
    });
  }
  return unique(own);
}

/** Where Debian's package debian-archive-keyring puts the keys. */
const keyrings = ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/** The file of keys that Debian's signatures are checked with: TWINSEAL_DEBIAN_KEYRING, else Debian's own here. */
export async function debianKeyring(
  env: { readonly TWINSEAL_DEBIAN_KEYRING?: string | undefined },
  places: readonly string[] = keyrings,
): Promise<string> {
  const own = env.TWINSEAL_DEBIAN_KEYRING ?? "";
  for (const path of own === "" ? places : [own]) if (await isReadable(path)) return path;
  throw new TwinsealError("world", "KEYRING_MISSING", `there is no ${own === "" ? "keyring of Debian's" : own} here`, {
    hint: "install the package debian-archive-keyring, or name a file with Debian's keys in TWINSEAL_DEBIAN_KEYRING",
  });
}

const isReadable = (path: string) =>
  access(path, constants.R_OK).then(
    () => true,
    () => false,
  );

/** Pure: each archive once; one without `main`, as programs' own archives mostly are, has nothing that Debian has. */
export function mirrorsOf(sources: readonly AptSource[]): readonly string[] {
  return unique(sources.filter(({ components }) => components.includes("main")).map(({ uri }) => uri));
}

/** The URL of a package below a mirror; the pool's path is the lock's. */
export function packageUrl(mirror: string, pool: string): string {
  return `${mirror}/${pool.split("/").map(encodeURIComponent).join("/")}`;
}

/** Dinstall publishes a Release some hours after its date, and the snapshot archive copies it some hours after that. */
const SNAPSHOT_DELAY_SECONDS = 12 * 3600;

/**
 * The mirror that still has a suite's packages of a day: the snapshot archive serves the last copy before the time in its
 * URL. A package that was replaced stays in the archive for longer than we add.
 */
export function snapshotMirror(releasedAt: number): string {
  const time = new Date((releasedAt + SNAPSHOT_DELAY_SECONDS) * 1000).toISOString();
  return `https://snapshot.debian.org/archive/debian/${time.replace(/[-:]|\.\d+/g, "")}`;
}

/** Whether a mirror is a copy of some past day: what it signs has expired, and that is what was asked for. */
export function isSnapshot(mirror: string): boolean {
  return /\/\d{8}T\d{6}Z$/.test(mirror);
}

const unique = (urls: readonly string[]) => [...new Set(urls.map((url) => url.replace(/\/+$/, "")))];

async function readAptSources(etcApt: string): Promise<readonly AptSource[]> {
  const parts = await readdir(join(etcApt, "sources.list.d")).catch(absent<string[]>([]));
  const paths = ["sources.list", ...parts.toSorted().map((name) => join("sources.list.d", name))];
  const sources: AptSource[] = [];
  for (const path of paths.filter((name) => /\.(list|sources)$/.test(name)))
    sources.push(...parseAptSources(path, await readFile(join(etcApt, path), "utf8").catch(absent(""))));
  return sources;
}

/** A machine without apt has no sources; a file that cannot be read by us is not there for us. */
function absent<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (["ENOENT", "EACCES", "ENOTDIR", "EISDIR"].includes(systemCodeOf(error) ?? "")) return value;
    throw error;
  };
}
