import { z } from "zod";
import { sha256Schema } from "../digest.ts";
import { fetchText, type Http } from "../http.ts";
import type { Host } from "../platform.ts";
import { blobPath, type Store } from "../store/store.ts";
import { fetchBlob } from "./fetch-blob.ts";
import { readTarFile } from "./tar.ts";

/** Go's own download page and the archives beside it, <https://go.dev/dl/>. */
const DOWNLOAD_PAGE = "https://go.dev/dl/";
const MAX_PAGE_BYTES = 32 * 1024 ** 2;
const MAX_GO_ENV_BYTES = 1 << 16;

const releasesSchema = z.array(
  z.object({
    version: z.string(),
    stable: z.boolean(),
    files: z.array(z.object({ filename: z.string(), sha256: z.string(), size: z.int() })),
  }),
);
export type GoRelease = z.infer<typeof releasesSchema>[number];
export type GoArchive = GoRelease["files"][number];

export type GoDownloadDeps = {
  readonly store: Store;
  readonly http: Http;
  readonly host: Host;
  readonly page?: string;
  readonly signal?: AbortSignal | undefined;
};

/** Every release of Go, the newest first. Throws when the page cannot be read. */
export async function readDownloadPage(http: Http, page: string = DOWNLOAD_PAGE): Promise<readonly GoRelease[]> {
  const { status, text } = await fetchText(http, `${page}?mode=json&include=all`, MAX_PAGE_BYTES);
  if (status !== 200) throw new Error(`Go's download page answered ${status}`);
  return releasesSchema.parse(JSON.parse(text));
}

/** The archive of a release for a host, if there is one. */
export function archiveOf({ version, files }: GoRelease, host: Host): GoArchive | undefined {
  return files.find(({ filename }) => filename === `${version}.${host.replace("/", "-")}.tar.gz`);
}

/**
 * What GOPROXY is for someone who has neither set it nor installed Go: as the newest stable Go says it in its `go.env`.
 * Its archive comes by the sha256 of Go's download page. Undefined when the page has no archive for this host.
 */
export async function goProxyOfDownload(deps: GoDownloadDeps): Promise<string | undefined> {
  const page = deps.page ?? DOWNLOAD_PAGE;
  const release = (await readDownloadPage(deps.http, page)).find(({ stable }) => stable);
  const archive = release === undefined ? undefined : archiveOf(release, deps.host);
  if (archive === undefined) return undefined;
  const sha256 = sha256Schema.parse(archive.sha256);
  const urls = [`${page}${archive.filename}`];
  const wanted = { label: archive.filename, sha256, sizeBytes: archive.size, urls, from: "lock", hint: "" } as const;
  await fetchBlob(wanted, { store: deps.store, http: deps.http, signal: deps.signal });
  const goEnv = await readTarFile(blobPath(deps.store, sha256), "go/go.env", MAX_GO_ENV_BYTES);
  return /^GOPROXY=(.+)$/m.exec(goEnv)?.[1]?.trim();
}
