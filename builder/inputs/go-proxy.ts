import { TwinsealError } from "../errors.ts";

/**
 * The module proxies to ask, in order: the URLs of GOPROXY, from the environment or else as the first of `others` knows
 * it: the go command that is installed, then the Go that could be. `direct` and `off` are left out: what a lock names comes from a proxy or not at all. None of them is trusted.
 */
export async function proxiesFrom(
  env: { readonly GOPROXY?: string },
  ...others: readonly (() => Promise<string | undefined>)[]
): Promise<readonly string[]> {
  let setting = env.GOPROXY;
  for (const other of others) if (setting === undefined || setting === "") setting = await other();
  const places = (setting ?? "").split(/[,|]/).map((place) => place.trim());
  return places.filter((place) => /^(https?|file):\/\//.test(place)).map((place) => place.replace(/\/+$/, ""));
}

/** Under this path a module proxy serves Go toolchains, one version for each release and host. */
export const toolchainModule = "golang.org/toolchain";

/** Module proxies may be case-insensitive: `!b` stands for `B` (golang.org/x/mod/module, EscapePath and EscapeVersion). */
export function escapeModulePath(path: string): string {
  if (!/^[A-Za-z0-9._~+@/-]+$/.test(path) || path.split("/").some((part) => /^\.*$/.test(part))) {
    throw new TwinsealError("caller", "MODULE_PATH_INVALID", `${JSON.stringify(path)} is no module path or version`, {
      hint: "run twinseal pin",
    });
  }
  return path.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
}

/** `<proxy>/<escaped path>/@v/<escaped version>.<kind>` of the GOPROXY protocol. */
export function moduleUrl(proxy: string, path: string, version: string, kind: "info" | "mod" | "zip"): string {
  return `${proxy.replace(/\/+$/, "")}/${escapeModulePath(path)}/@v/${escapeModulePath(version)}.${kind}`;
}
