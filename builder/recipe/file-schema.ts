import { z } from "zod";
import { sha256Schema } from "../digest.ts";
import { modulePathSchema, relativePathSchema } from "./text-schema.ts";

/** Where a compiler looks for libraries and headers; nothing of ours lies there. */
const sandboxPlace = /^\/usr\/(local\/)?(lib|include)\//;

/** A path of the source tree, or an absolute one of the sandbox. */
export const placeSchema = z.string().superRefine((path, context) => {
  if (!path.startsWith("/")) {
    for (const { message } of relativePathSchema.safeParse(path).error?.issues ?? []) context.addIssue(message);
    return;
  }
  if (!sandboxPlace.test(path))
    context.addIssue("must be relative to the source tree, or below /usr/lib, /usr/include or /usr/local's");
  else if (
    path
      .slice(1)
      .split("/")
      .some((part) => part === "" || part === "." || part === "..")
  )
    context.addIssue("must be written without .. and empty parts");
});

const shared = {
  to: placeSchema.describe(
    "Where it appears: relative to the source tree, or absolute below /usr/lib, /usr/include, /usr/local/lib or /usr/local/include of the sandbox. Not trusted: it cannot leave them, nor replace a file.",
  ),
  mode: z
    .enum(["0644", "0755"])
    .optional()
    .describe("Its file mode; 0644 if absent. 0755 lets `before` steps run it: trusted as its bytes are."),
};

export const fileSchema = z.union([
  z.strictObject({
    url: z
      .url({ protocol: /^https?$/, error: "is not an http or https URL; write for example https://host/file" })
      .describe("Where the file was published. Not trusted: the bytes are checked against sha256."),
    sha256: sha256Schema.describe("Digest of the file. Trusted: whoever sets it chooses the bytes."),
    ...shared,
  }),
  z.strictObject({
    module: modulePathSchema.describe(
      "A module of the build's own list, in whose zip the file lies. The zip is proven against the checksum database.",
    ),
    path: relativePathSchema.describe(
      "The file inside that module. Not trusted: its bytes are the proven module's, and the lock's sha256.",
    ),
    sha256: sha256Schema
      .optional()
      .describe(
        "Digest of the file; absent, what the proven module of each version has, as the lock then states. Trusted: whoever sets it chooses the bytes.",
      ),
    ...shared,
  }),
]);
export type RecipeFile = z.infer<typeof fileSchema>;

/** Files that go beside the binary; both runs must give the same. */
export const outputSchema = z.strictObject({
  from: placeSchema.describe("Where it lies in the sandbox when the build has ended. Trusted as what put it there."),
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._+-]*$/, "is not a file name")
    .refine((name) => !["run.json", "build.log", "actiongraph.json"].includes(name), "is a file of the run itself")
    .refine(
      (name) => !["report.json", "report.html"].includes(name) && !/^[a-z0-9]+-(amd64|arm64)$/.test(name),
      "is what the release folder itself has",
    )
    .describe("The name that the binary looks for. Not trusted: it must be one path component."),
});
