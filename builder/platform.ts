import { z } from "zod";

/** What a binary is built for: GOOS/GOARCH. */
export const platforms = [
  "linux/amd64",
  "linux/arm64",
  "darwin/amd64",
  "darwin/arm64",
  "windows/amd64",
  "windows/arm64",
  "freebsd/amd64",
] as const;
export const platformSchema = z.enum(platforms, {
  error: ({ input }) => `${JSON.stringify(input)} is no platform known here; there are ${platforms.join(", ")}`,
});
export type Platform = z.infer<typeof platformSchema>;

/** What a build runs on: a toolchain is locked for each. */
export const hosts = ["linux/amd64", "linux/arm64"] as const;
export const hostSchema = z.enum(hosts);
export type Host = z.infer<typeof hostSchema>;

export function splitPlatform(platform: Platform | Host): { goos: string; goarch: string } {
  const [goos = "", goarch = ""] = platform.split("/");
  return { goos, goarch };
}

/** `<name>-v<version>-<os>-<arch>`, with `.exe` on Windows. */
export function artifactName(name: string, version: string, platform: Platform): string {
  const { goos, goarch } = splitPlatform(platform);
  return `${name}-v${version}-${goos}-${goarch}${goos === "windows" ? ".exe" : ""}`;
}
