import { z } from "zod";
import { dimensionIdSchema } from "../dimensions.ts";
import { platformSchema } from "../platform.ts";
import { buildSchema, buildShape, refuseOwned } from "./build-schema.ts";
import { checkSchema } from "./check-schema.ts";
import { compilerSchema } from "./compiler-schema.ts";
import { fileSchema, outputSchema } from "./file-schema.ts";
import { unknownPlaceholders } from "./placeholders.ts";
import { placeholdersOf, sourceSchema, sourceWords } from "./source-schema.ts";
import { relativePathSchema, versionSchema } from "./text-schema.ts";
import { compareReleases } from "./version-order.ts";

function isUnique(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

const argvSchema = z.tuple([z.string().min(1)], z.string());
const reasonSchema = z.string().min(8, "needs a reason of at least 8 characters");

function placeholderTexts(recipe: {
  build: { ldflags?: string | undefined };
  check?: { prints: string } | undefined;
  perTarget?: Readonly<Partial<Record<string, { ldflags?: string | undefined }>>> | undefined;
}) {
  return [
    { path: ["build", "ldflags"], text: recipe.build.ldflags ?? "" },
    { path: ["check", "prints"], text: recipe.check?.prints ?? "" },
    ...Object.entries(recipe.perTarget ?? {}).map(([target, keys]) => ({
      path: ["perTarget", target, "ldflags"],
      text: keys?.ldflags ?? "",
    })),
  ];
}

const recipeShape = {
  recipe: z.literal(1).describe("Version of this format. Nothing is trusted here: another number is refused."),
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]*$/, "must be lower-case letters, digits, . _ -")
    .describe(
      "Name of the binary and first part of its artifact's name. Not trusted for anything: digests tell artifacts apart.",
    ),
  description: z.string().optional().describe("One line for people. Not used."),
  source: sourceSchema.describe("Where the code comes from: a git tag, a Go module, or a local directory."),
  go: z
    .string()
    .regex(/^(auto|1\.\d+(\.\d+)?)$/, 'is neither auto nor a Go release; write for example go: "1.25.7"')
    .describe(
      "Go release, or auto: go.mod's toolchain line, else its go line. Trusted: the compiler can put anything into the binary; it is proven against the checksum database.",
    ),
  targets: z
    .array(platformSchema)
    .min(1)
    .refine(isUnique, "names a platform twice")
    .describe("Platforms to build for, as GOOS/GOARCH. Not trusted: an artifact for another platform is an error."),
  workspace: z
    .boolean()
    .optional()
    .describe(
      "Use the source's go.work. Off if absent, since many name modules that are not there. Trusted like go.mod: it chooses which code is compiled in.",
    ),
  vendor: z
    .boolean()
    .optional()
    .describe(
      "Build from the source's vendor directory instead of modules. Off if absent. Trusted as the source: its digest covers what is vendored, nobody compares it with the modules.",
    ),
  before: z
    .array(argvSchema)
    .optional()
    .describe(
      "Steps run inside the sandbox before the build, each an argv list without a shell. Trusted like the source: they write code that is compiled.",
    ),
  compiler: compilerSchema
    .optional()
    .describe(
      "C toolchain for `cgo: true`: Debian packages, or an OCI image by digest. Trusted as the Go toolchain is.",
    ),
  build: buildSchema.describe("How the binary is made. Trusted as reviewed by you; both builds do the same."),
  files: z
    .array(fileSchema)
    .optional()
    .describe(
      "Files fetched beforehand, or taken out of a locked module, and put into the source tree or the sandbox. Their places are not trusted, their digests are.",
    ),
  outputs: z
    .array(outputSchema)
    .min(1)
    .refine((outputs) => isUnique(outputs.map(({ name }) => name)), "has a name twice")
    .optional()
    .describe(
      "Files that go beside the binary, such as a library that it loads. Trusted as what put them there; compared and placed as the binary is.",
    ),
  fix: z
    .partialRecord(dimensionIdSchema, reasonSchema)
    .optional()
    .describe(
      "Dimensions that are not varied, each with the reason. Trusted: what is fixed is not tested; the reason goes into the report.",
    ),
  allow: z
    .strictObject({
      date: reasonSchema
        .optional()
        .describe(
          "Why a date of the build day may stand in the artifact. Trusted: it lets a match through that both runs may owe to the same day.",
        ),
    })
    .optional()
    .describe(
      "Findings that are accepted, each with the reason. Trusted: what is accepted no longer makes a build suspect.",
    ),
  check: checkSchema
    .optional()
    .describe(
      "Starts the built artifact, where the host can, and compares what it prints. Not trusted: it runs in a sandbox, and shows that the program starts, not what it does.",
    ),
  inputs: z
    .record(
      z.string().regex(/^[a-z0-9._-]+$/),
      z.strictObject({
        recipe: z
          .string()
          .regex(/^[a-z0-9][a-z0-9._-]*@[^\s@]+$/, "must be name@version")
          .describe("Recipe whose matched output is the input. Trusted as that recipe and its lock are."),
        to: relativePathSchema.describe(
          "Where the artifact appears, relative to the source tree. Not trusted: it cannot leave the tree.",
        ),
      }),
    )
    .optional()
    .describe(
      "Matched outputs of other recipes. Reserved: the lock and the plan have room for it, `pin` refuses it until it is built.",
    ),
  perTarget: z
    .partialRecord(platformSchema, z.strictObject(buildShape))
    .optional()
    .describe("Keys of `build` replaced for one target. Trusted as `build` is."),
};

/** A recipe of one version: nothing in it depends on the version any more. */
const singleSchema = z
  .strictObject(recipeShape)
  .superRefine((recipe, context) => {
    for (const [target, keys] of Object.entries(recipe.perTarget ?? {})) {
      refuseOwned(keys?.env, ["perTarget", target, "env"], context);
      if ({ ...recipe.build, ...keys }.package !== undefined && { ...recipe.build, ...keys }.file !== undefined) {
        context.addIssue({
          code: "custom",
          path: ["perTarget", target],
          message: "ends up with both `package` and `file`; a target keeps the kind that `build` has",
        });
      }
      if (recipe.targets.some((known) => known === target)) continue;
      context.addIssue({
        code: "custom",
        path: ["perTarget", target],
        message: "is no target of this recipe; add it to `targets` or remove it",
      });
    }
  })
  .superRefine((recipe, context) => {
    const builds = [
      { path: ["build"], keys: recipe.build },
      ...Object.entries(recipe.perTarget ?? {}).map(([target, keys]) => ({ path: ["perTarget", target], keys })),
    ];
    const withC = builds.find(({ keys }) => keys?.cgo === true);
    if (withC !== undefined && recipe.compiler === undefined) {
      context.addIssue({
        code: "custom",
        path: [...withC.path, "cgo"],
        message: "needs a pinned C compiler; add compiler: {debian: trixie, packages: [gcc, libc6-dev]}",
      });
    }
    for (const [index, target] of recipe.targets.entries()) {
      const keys = { ...recipe.build, ...recipe.perTarget?.[target] };
      if (keys.cgo !== true || target.startsWith("linux/")) continue;
      context.addIssue({
        code: "custom",
        path: ["targets", index],
        message: `needs the C toolchain of its maker for cgo, which cannot be pinned; write perTarget: {${target}: {cgo: false}}, or remove it`,
      });
    }
    if (withC === undefined && recipe.compiler !== undefined) {
      context.addIssue({
        code: "custom",
        path: ["compiler"],
        message: "is there and no build uses C; add cgo: true to `build`, or remove it",
      });
    }
  })
  .superRefine((recipe, context) => {
    for (const { path, text } of placeholderTexts(recipe)) {
      const unknown = unknownPlaceholders(text, placeholdersOf(recipe.source));
      if (unknown.length > 0)
        context.addIssue({
          code: "custom",
          path,
          message: `${unknown.join(" ")} is unknown with ${sourceWords(recipe.source)}`,
        });
    }
  });

const { files, outputs, compiler, go, fix } = recipeShape;

const versionKeysSchema = z.strictObject({
  from: versionSchema.describe(
    "First version that these keys hold for; pre-releases count as their release. Trusted as the keys are.",
  ),
  go: go.optional().describe("As in the recipe, from this version on. Trusted as there."),
  compiler: compiler.describe("As in the recipe, from this version on. Trusted as there."),
  build: z
    .strictObject(buildShape)
    .optional()
    .describe("Keys of `build` replaced from this version on. Trusted as `build` is."),
  files: files.describe("Instead of the recipe's `files`, from this version on. Trusted as there."),
  outputs: outputs.describe("Instead of the recipe's `outputs`, from this version on. Trusted as there."),
  fix: fix.describe("Instead of the recipe's `fix`, from this version on. Trusted as there."),
});

/**
 * The recipe: what a person writes and reviews. Every description goes into manifests/schema/recipe.schema.json and
 * docs/recipe.md, with its trust sentence.
 */
export const recipeSchema = singleSchema
  .safeExtend({
    perVersion: z
      .array(versionKeysSchema)
      .min(1)
      .refine(
        (entries) =>
          entries.every(({ from }, index) => index === 0 || compareReleases(entries[index - 1]?.from ?? "", from) < 0),
        "must be in ascending order, each version once",
      )
      .optional()
      .describe(
        "Keys that differ between versions: of the entries whose `from` is not above the version, the last one holds, and it alone. Trusted as what it replaces; a version's lock names the recipe as it is for that version.",
      ),
  })
  .superRefine((recipe, context) => {
    const { perVersion = [], ...rest } = recipe;
    if (!singleSchema.safeParse(rest).success) return; // said already
    for (const [index, { from }] of perVersion.entries()) {
      const issues = singleSchema.safeParse(recipeOfVersion(recipe, from)).error?.issues ?? [];
      for (const { message, path } of issues) {
        context.addIssue({ code: "custom", path: ["perVersion", index, ...path], message });
      }
    }
  });

/** The recipe with the keys that its `perVersion` gives for a version, and without `perVersion`. */
export function recipeOfVersion(recipe: z.infer<typeof recipeSchema>, version: string): z.infer<typeof singleSchema> {
  const { perVersion = [], ...rest } = recipe;
  const entry = perVersion.findLast(({ from }) => compareReleases(from, version) <= 0);
  if (entry === undefined) return rest;
  return {
    ...rest,
    go: entry.go ?? rest.go,
    compiler: entry.compiler ?? rest.compiler,
    build: { ...rest.build, ...entry.build },
    files: entry.files ?? rest.files,
    outputs: entry.outputs ?? rest.outputs,
    fix: entry.fix ?? rest.fix,
  };
}

export type Recipe = z.infer<typeof recipeSchema>;
export type BuildKeys = Recipe["build"];
