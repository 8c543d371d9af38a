import { h1Schema, sha256Of, type H1 } from "../../../builder/digest.ts";
import { recipeSha256 } from "../../../builder/recipe/load.ts";
import { lockSchema, type Lock } from "../../../builder/recipe/lock.ts";
import type { Recipe } from "../../../builder/recipe/schema.ts";

export const sampleYaml = `recipe: 1
name: app
source: {module: example.com/app}
go: "1.25.7"
targets: [linux/amd64]
build:
  package: ./cmd/app
  ldflags: -s -w -buildid= -X main.version={version}
`;

/** `sampleYaml` with one piece replaced; throws where the piece is not there, so that no test passes by a typing error. */
export function sampleWith(piece: string, replacement: string): string {
  if (!sampleYaml.includes(piece)) throw new Error(`the sample has no ${piece}`);
  return sampleYaml.replace(piece, () => replacement);
}

export function h1Of(text: string): H1 {
  return h1Schema.parse(`h1:${Buffer.from(sha256Of(text), "hex").toString("base64")}`);
}

/** A lock that fits a module recipe. */
export function sampleLock(recipe: Recipe, changes: Partial<Lock> = {}): Lock {
  const blob = (text: string) => ({ sha256: sha256Of(text), sizeBytes: text.length });
  const toolchain = (host: "linux/amd64" | "linux/arm64") => ({
    host,
    version: `v0.0.1-go1.25.7.${host.replace("/", "-")}`,
    h1: h1Of(host),
    zip: blob(host),
  });
  const module = (path: string) => ({
    path,
    version: "v1.0.0",
    goMod: { ...blob(`${path} mod`), h1: h1Of(`${path} mod`) },
    zip: { ...blob(path), h1: h1Of(path) },
  });
  return lockSchema.parse({
    lock: 1,
    name: recipe.name,
    version: "1.2.3",
    recipe: { sha256: recipeSha256(recipe) },
    source: {
      kind: "module",
      path: "example.com/app",
      version: "v1.2.3",
      h1: h1Of("s"),
      goModH1: h1Of("m"),
      zip: blob("s"),
    },
    sourceDateEpoch: 1_700_000_000,
    go: { version: "1.25.7", toolchains: [toolchain("linux/amd64"), toolchain("linux/arm64")] },
    modules: [module("example.com/a"), module("example.com/b")],
    files: [],
    inputs: [],
    checksumDatabase: { name: "sum.golang.org", treeSize: 1, rootHash: "/Abc/def=" },
    ...changes,
  });
}
