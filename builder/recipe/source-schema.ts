import { z } from "zod";
import { placeholderNames } from "./placeholders.ts";
import { gitUrlSchema, modulePathSchema, relativePathSchema, tagSchema } from "./text-schema.ts";

/** The keys of which a source has exactly one. */
export const sourceKinds = ["git", "module", "path"] as const;

export const sourceSchema = z.union([
  z.strictObject({
    git: gitUrlSchema.describe(
      "URL of the upstream repository. The server is not trusted: tag object, commit and tree are checked against the lock.",
    ),
    tag: tagSchema.describe(
      "Tag of a version; {version} is replaced. Trusted once, when `pin` writes the lock; from then on the lock's commit holds.",
    ),
    submodules: z
      .array(relativePathSchema)
      .optional()
      .describe(
        "Paths of the git submodules that belong to the source; [] for none, whose directories stay empty. Needed where there are any. Where they are fetched from is not trusted: the tree names their commits.",
      ),
    dir: relativePathSchema
      .optional()
      .describe(
        "Directory of the go.mod inside the source. It cannot leave the source; its code is trusted as reviewed by you.",
      ),
  }),
  z.strictObject({
    module: modulePathSchema.describe(
      "Path under which the Go module proxy serves the source. The proxy is not trusted: the zip is proven against the checksum database.",
    ),
    dir: relativePathSchema
      .optional()
      .describe(
        "Directory of the go.mod inside the source. It cannot leave the source; its code is trusted as reviewed by you.",
      ),
  }),
  z.strictObject({
    path: relativePathSchema.describe(
      "Local directory, to try a working tree out. Trusted as it lies there; a build from it can never be sealed.",
    ),
    dir: relativePathSchema
      .optional()
      .describe(
        "Directory of the go.mod inside the source. It cannot leave the source; its code is trusted as reviewed by you.",
      ),
  }),
]);

type Source = z.infer<typeof sourceSchema>;

/** The placeholders that a source can give values for. */
export function placeholdersOf(source: Source): readonly string[] {
  if ("git" in source) return placeholderNames;
  return placeholderNames.filter((name) => name !== "commit" && !("path" in source && name === "commitDate"));
}

export function sourceWords(source: Source): string {
  return "module" in source
    ? "a module source; a module proxy does not prove a commit"
    : "a path source; a directory has no commit";
}
