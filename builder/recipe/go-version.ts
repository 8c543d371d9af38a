import { TwinsealError } from "../errors.ts";

/**
 * The Go release that a go.mod asks for: its toolchain line, else its go line (https://go.dev/ref/mod#go-mod-file-toolchain).
 * From 1.21 on a release has three numbers, so `go 1.25` means 1.25.0. Throws `caller/GO_VERSION_UNKNOWN`.
 */
export function goVersionOf(goMod: string, path: string): string {
  const toolchain = /^toolchain[ \t]+go(1\.\d+(?:\.\d+)?)[ \t]*(?:\/\/.*)?$/m.exec(goMod)?.[1];
  const line = toolchain ?? /^go[ \t]+(1\.\d+(?:\.\d+)?)[ \t]*(?:\/\/.*)?$/m.exec(goMod)?.[1];
  if (line === undefined) {
    throw new TwinsealError("caller", "GO_VERSION_UNKNOWN", `${path} names no Go release`, {
      hint: 'write one into the recipe, for example go: "1.25.7"',
    });
  }
  return fullGoVersion(line);
}

/** `1.25` -> `1.25.0`, `1.20` stays. */
export function fullGoVersion(version: string): string {
  const [, minor = "0", patch] = version.split(".");
  return patch === undefined && Number(minor) >= 21 ? `${version}.0` : version;
}
