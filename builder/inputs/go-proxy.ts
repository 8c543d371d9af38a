/** The module proxy protocol: https://go.dev/ref/mod#goproxy-protocol */

/** In paths and versions a capital is written as `!` and its lower case, since file systems may not tell them apart. */
export function escapeModulePath(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
}

export type ModuleFile = "info" | "mod" | "zip";

/** Path of a module's file below a proxy. */
export function moduleFilePath(path: string, version: string, file: ModuleFile): string {
  return `${escapeModulePath(path)}/@v/${escapeModulePath(version)}.${file}`;
}

export function moduleUrl(proxy: string, path: string, version: string, file: ModuleFile): string {
  return `${proxy.replace(/\/$/, "")}/${moduleFilePath(path, version, file)}`;
}

/** The proxies of GOPROXY, else of an installed go command; `direct` and `off` are no places we fetch from. */
export async function proxiesFrom(
  env: { readonly GOPROXY?: string },
  goEnv: () => Promise<string | undefined>,
): Promise<readonly string[]> {
  const setting = env.GOPROXY ?? (await goEnv()) ?? "";
  return setting
    .split(/[,|]/)
    .map((entry) => entry.trim())
    .filter((entry) => /^https?:\/\//.test(entry));
}
