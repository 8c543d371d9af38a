import { z } from "zod";
import { dimensionIdSchema } from "../dimensions.ts";
import { sha256Schema } from "../digest.ts";
import { platformSchema } from "../platform.ts";
import { placeholderNames, unknownPlaceholders } from "./placeholders.ts";

/**
 * The recipe: what a person writes and reviews. Every description below goes into manifests/schema/recipe.schema.json and
 * docs/recipe.md, with its trust sentence.
 */
const shellCharacters = /[\s;&|<>$`"'\\*?!(){}[\]#~^]/;

/** A path below some directory: relative, no `..`, no empty part. */
export const relativePathSchema = z
  .string()
  .min(1)
  .refine((path) => !path.startsWith("/"), "must be relative; write it without the leading /")
  .refine(
    (path) =>
      path === "." ||
      path.startsWith("/") ||
      !path
        .replace(/^\.\//, "")
        .split("/")
        .some((part) => part === ".." || part === "" || part === "."),
    "must stay inside the tree; write it without .. and empty parts",
  )
  .refine((path) => !/[\0-\x1f]/.test(path), "must hold no control character")
  .refine((path) => !path.startsWith("-"), "must not look like a flag; write ./ in front");

const tagSchema = z
  .string()
  .min(1)
  .refine((tag) => tag.includes("{version}"), 'must hold {version}, for example "v{version}"')
  .refine(
    (tag) => !shellCharacters.test(tag.replaceAll("{version}", "1")) && !tag.startsWith("-") && !tag.includes(".."),
    "holds a character that has no place in a tag; letters, digits and . _ - / + are enough",
  );

/** A version as locks and artifact names carry it: no `v` in front is demanded, no separator of paths or flags allowed. */
export const versionSchema = z
  .string()
  .regex(/^[0-9A-Za-z][0-9A-Za-z._+-]*$/, "is not a version; write for example 1.2.3")
  .refine((version) => !version.includes(".."), "is not a version; write for example 1.2.3");

/** Text in which only the named placeholders stand in braces. */
function textWith(allowed: readonly string[]) {
  return z.string().superRefine((text, context) => {
    const unknown = unknownPlaceholders(text, allowed);
    if (unknown.length > 0) {
      context.addIssue(
        `holds the unknown ${unknown.join(" ")}; known are ${allowed.map((name) => `{${name}}`).join(" ")}`,
      );
    }
  });
}

const gitUrlSchema = z
  .string()
  .regex(
    /^(https:\/\/|ssh:\/\/|git:\/\/|http:\/\/|file:\/\/|[\w.-]+@[\w.-]+:)[^\s]+$/,
    "is not a git URL; write for example https://host/owner/repo",
  );

const modulePathSchema = z
  .string()
  .regex(
    /^[a-z0-9.-]+\.[a-z]+(\/[A-Za-z0-9._~-]+)*$/,
    "is not a Go module path; write for example github.com/owner/repo",
  );

/** The keys of which a source has exactly one. */
export const sourceKinds = ["git", "module", "path"] as const;

const sourceSchema = z.union([
  z.strictObject({
    git: gitUrlSchema.describe(
      "URL of the upstream repository. The server is not trusted: tag object, commit and tree are checked against the lock.",
    ),
    tag: tagSchema.describe(
      "Tag of a version; {version} is replaced. Trusted once, when `pin` writes the lock; from then on the lock's commit holds.",
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

const environmentSchema = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "is not a variable name"), z.string());

const buildShape = {
  package: z
    .string()
    .regex(/^(\.|\.\/[A-Za-z0-9._/-]+)$/, "must be . or start with ./; write for example ./cmd/app")
    .refine(
      (path) => !/^\.\/.*\.\./.test(path) || !path.split("/").includes(".."),
      "must stay inside the tree; write it without ..",
    )
    .optional()
    .describe(
      "Package to build, relative to the go.mod. Its code is what the binary does: trusted as reviewed by you.",
    ),
  file: relativePathSchema.optional().describe("A Go file to build instead of a package; trusted as reviewed by you."),
  tags: z
    .array(z.string().regex(/^[A-Za-z0-9_.]+$/, "is not a build tag"))
    .optional()
    .describe("Build tags. Trusted: they choose which code is compiled in."),
  ldflags: textWith(placeholderNames)
    .optional()
    .describe(
      "Linker flags; {version} {commit} {commitDate} {tags} are replaced from the lock. Trusted: -X sets any string of the program; recorded in the report, because -trimpath hides them from `go version -m`.",
    ),
  env: environmentSchema
    .optional()
    .describe(
      "Further variables of the build. Trusted: they can choose experiments and code generation. The variables twinseal sets itself cannot be replaced.",
    ),
  cgo: z
    .literal(false)
    .optional()
    .describe("Whether C is compiled. Only false for now: a compiler that nobody pinned would have to be trusted."),
};

/** Variables that the plan owns; a recipe that sets one of them would undo a guarantee. */
export const ownedVariables: readonly string[] = [
  "CGO_ENABLED",
  "GO111MODULE",
  "GOARCH",
  "GOBIN",
  "GOCACHE",
  "GOCACHEPROG",
  "GODEBUG",
  "GOENV",
  "GOFLAGS",
  "GOGC",
  "GOINSECURE",
  "GOMEMLIMIT",
  "GOMODCACHE",
  "GONOPROXY",
  "GONOSUMDB",
  "GONOSUMCHECK",
  "GOOS",
  "GOPATH",
  "GOPRIVATE",
  "GOPROXY",
  "GOROOT",
  "GOSUMDB",
  "GOTELEMETRY",
  "GOTMPDIR",
  "GOTOOLCHAIN",
  "GOTOOLDIR",
  "GOVCS",
  "GOWORK",
  "HOME",
  "LANG",
  "LC_ALL",
  "PATH",
  "PWD",
  "SOURCE_DATE_EPOCH",
  "TMPDIR",
  "TZ",
  "USER",
  "LOGNAME",
];

/** Adds an issue at each variable that only twinseal may set. */
function refuseOwned(
  env: Readonly<Record<string, string>> | undefined,
  path: readonly string[],
  context: z.core.$RefinementCtx,
): void {
  for (const name of Object.keys(env ?? {}).filter((one) => ownedVariables.includes(one))) {
    context.issues.push({
      code: "custom",
      input: env,
      path: [...path, name],
      message: "is a variable that twinseal sets itself; remove it",
    });
  }
}

const buildSchema = z
  .strictObject(buildShape)
  .refine((build) => (build.package === undefined) !== (build.file === undefined), "needs either `package` or `file`")
  .superRefine((build, context) => refuseOwned(build.env, ["env"], context));

const fileSchema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: "is not an http or https URL; write for example https://host/file" })
    .describe("Where the file was published. Not trusted: the bytes are checked against sha256."),
  sha256: sha256Schema.describe("Digest of the file. Trusted: whoever sets it chooses the bytes."),
  to: relativePathSchema.describe(
    "Where it appears, relative to the source tree. Not trusted: it cannot leave the tree.",
  ),
  mode: z
    .enum(["0644", "0755"])
    .optional()
    .describe("Its file mode; 0644 if absent. 0755 lets `before` steps run it: trusted as its bytes are."),
});

function isUnique(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

const argvSchema = z.tuple([z.string().min(1)], z.string());
const reasonSchema = z.string().min(8, "needs a reason of at least 8 characters");

type Source = z.infer<typeof sourceSchema>;

function placeholdersOf(source: Source): readonly string[] {
  if ("git" in source) return placeholderNames;
  return placeholderNames.filter((name) => name !== "commit" && !("path" in source && name === "commitDate"));
}

function sourceWords(source: Source): string {
  return "module" in source
    ? "a module source; a module proxy does not prove a commit"
    : "a path source; a directory has no commit";
}

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

export const recipeSchema = z
  .strictObject({
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
    before: z
      .array(argvSchema)
      .optional()
      .describe(
        "Steps run inside the sandbox before the build, each an argv list without a shell. Trusted like the source: they write code that is compiled.",
      ),
    build: buildSchema.describe("How the binary is made. Trusted as reviewed by you; both builds do the same."),
    files: z
      .array(fileSchema)
      .optional()
      .describe(
        "Files fetched beforehand and put into the source tree. Their places are not trusted, their digests are.",
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
    check: z
      .strictObject({
        run: z
          .array(z.string())
          .describe(
            "Arguments with which the artifact is started in a sandbox of its own. Not trusted: no shell reads them.",
          ),
        prints: textWith(placeholderNames)
          .min(1)
          .describe(
            "Text that must occur in what it prints; {version} {commit} {commitDate} {tags} are replaced. Trusted as little as the program that prints it.",
          ),
      })
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
  })
  .superRefine((recipe, context) => {
    for (const [target, keys] of Object.entries(recipe.perTarget ?? {})) {
      refuseOwned(keys?.env, ["perTarget", target, "env"], context);
      if (recipe.targets.some((known) => known === target)) continue;
      context.addIssue({
        code: "custom",
        path: ["perTarget", target],
        message: "is no target of this recipe; add it to `targets` or remove it",
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

export type Recipe = z.infer<typeof recipeSchema>;
export type BuildKeys = Recipe["build"];
