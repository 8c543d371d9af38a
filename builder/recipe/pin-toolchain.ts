import { archiveOf, readDownloadPage, type GoRelease } from "../inputs/go-download.ts";
import { toolchainModule } from "../inputs/go-proxy.ts";
import { zipH1 } from "../inputs/h1.ts";
import { sha256Schema } from "../digest.ts";
import { hosts, type Host } from "../platform.ts";
import { blobPath } from "../store/store.ts";
import { TwinsealError } from "../errors.ts";
import { fetchUnknown, type PinDeps } from "./pin-deps.ts";
import type { LockedToolchain } from "./lock.ts";

const MAX_ZIP_BYTES = 512 * 1024 ** 2;

/** Locks the toolchain of each supported host, every one proven in the checksum database. */
export async function lockToolchains(goVersion: string, deps: PinDeps): Promise<readonly LockedToolchain[]> {
  const release = await findRelease(goVersion, deps);
  return Promise.all(hosts.map((host) => lockToolchain(goVersion, host, release, deps)));
}

async function lockToolchain(
  goVersion: string,
  host: Host,
  release: GoRelease | undefined,
  deps: PinDeps,
): Promise<LockedToolchain> {
  const name = `go${goVersion}.${host.replace("/", "-")}`;
  const version = `v0.0.1-${name}`;
  const zip = await fetchUnknown(toolchainModule, version, "zip", MAX_ZIP_BYTES, deps);
  const { h1 } = await deps.database.lookup(toolchainModule, version);
  await assertZipH1(blobPath(deps.store, zip.sha256), h1, `Go ${goVersion} for ${host}`);
  const archive = release === undefined ? undefined : archiveOf(release, host);
  return {
    host,
    version,
    h1,
    zip,
    ...(archive === undefined
      ? {}
      : { archive: { sha256: sha256Schema.parse(archive.sha256), sizeBytes: archive.size } }),
  };
}

/** Throws `alarm/DIGEST_MISMATCH` when a zip's files do not have the proven h1. */
export async function assertZipH1(path: string, h1: string, what: string): Promise<void> {
  const found = await zipH1(path);
  if (found === h1) return;
  throw new TwinsealError("alarm", "DIGEST_MISMATCH", `${what} has ${found}, and the checksum database says ${h1}`, {
    hint: "the module proxy served other bytes than the world knows; nothing was written",
  });
}

/** The archive's digest is locked where Go's own download page can be read. */
async function findRelease(goVersion: string, deps: PinDeps): Promise<GoRelease | undefined> {
  try {
    return (await readDownloadPage(deps.http)).find(({ version }) => version === `go${goVersion}`);
  } catch {
    deps.say("go's download page could not be read: the lock says nothing of the archives there");
    return undefined;
  }
}
