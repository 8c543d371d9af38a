import { TwinsealError } from "../errors.ts";
import type { ChecksumDatabase } from "../inputs/checksum-database.ts";
import type { GitEnv } from "../inputs/git.ts";
import type { RegistryAuth } from "../inputs/oci-registry.ts";
import { moduleUrl } from "../inputs/go-proxy.ts";
import type { Http } from "../http.ts";
import type { Host } from "../platform.ts";
import { putBlob, type Store } from "../store/store.ts";
import type { Blob } from "./lock.ts";

export type PinDeps = {
  readonly store: Store;
  readonly http: Http;
  readonly proxies: readonly string[];
  readonly database: ChecksumDatabase;
  readonly host: Host;
  readonly gitEnv: GitEnv;
  readonly debianMirrors: () => Promise<readonly string[]>;
  readonly debianKeyring: () => Promise<string>;
  /** What apt needs of the environment to reach the network. */
  readonly aptEnv: Readonly<Record<string, string>>;
  readonly registryAuth?: RegistryAuth | undefined;
  /** An OCI layout or a `docker save` file to take the compiler's image from. */
  readonly imageFrom?: string | undefined;
  /** A line of progress or of warning for people. */
  readonly say: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
};

/** Brings a module's file, whose digest nobody has told us yet, into the store. Throws `caller/VERSION_UNKNOWN`. */
export async function fetchUnknown(
  path: string,
  version: string,
  kind: "info" | "mod" | "zip",
  maxBytes: number,
  deps: PinDeps,
): Promise<Blob> {
  for (const proxy of deps.proxies) {
    const url = moduleUrl(proxy, path, version, kind);
    const response = await deps.http({
      url,
      maxBytes,
      timeoutMs: 600_000,
      ...(deps.signal === undefined ? {} : { signal: deps.signal }),
    });
    if (response.status === 200) return putBlob(deps.store, response.body, undefined, { maxBytes });
    for await (const _ of response.body) break; // an answer that is not read would hold its connection
    if (response.status !== 404 && response.status !== 410) {
      throw new TwinsealError(
        "world",
        "NETWORK",
        `fetching ${path}@${version}: the module proxy answered ${response.status}`,
        {
          hint: "this proxy does not give it out: name another version (for a toolchain: `go:` in the recipe), or another GOPROXY",
        },
      );
    }
  }
  if (deps.proxies.length === 0)
    throw new TwinsealError("caller", "PROXY_UNSET", "no module proxy is known", {
      hint: "set GOPROXY to the URL of a Go module proxy; it need not be trusted",
    });
  throw new TwinsealError("caller", "VERSION_UNKNOWN", `no module proxy has ${path}@${version}`, {
    hint: "is the version published, and the recipe's module path the proxy's?",
  });
}
