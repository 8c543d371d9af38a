import { z } from "zod";
import { noiseNames } from "../noise.ts";
import { placeholderNames } from "./placeholders.ts";
import { ldflagsFault } from "./ldflags.ts";
import { relativePathSchema, textWith } from "./text-schema.ts";

const environmentSchema = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "is not a variable name"), z.string());

const commandSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]*$/, "is not the name of a program");

export const buildShape = {
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
    .superRefine((text, context) => {
      const fault = ldflagsFault(text);
      if (fault !== undefined) context.addIssue(fault);
    })
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
    .boolean()
    .optional()
    .describe(
      "Whether C is compiled; false if absent. true needs `compiler`: a compiler that nobody pinned would have to be trusted.",
    ),
  cc: commandSchema
    .optional()
    .describe(
      "The C compiler, as a name in the pinned compiler's /usr/bin; gcc if absent. Trusted as `compiler` is. For a cross build for example aarch64-linux-gnu-gcc.",
    ),
  cxx: commandSchema
    .optional()
    .describe(
      "The C++ compiler, as a name in the pinned compiler's /usr/bin; g++ if absent. Trusted as `compiler` is.",
    ),
};

/** Variables that the plan owns; a recipe that sets one of them would undo a guarantee. */
export const ownedVariables: readonly string[] = [
  ...noiseNames,
  "AR",
  "CC",
  "CXX",
  "CGO_ENABLED",
  "GO111MODULE",
  "GOARCH",
  "GOAUTH",
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
  "XDG_CACHE_HOME",
  "XDG_CONFIG_HOME",
  "LOGNAME",
];

/** Adds an issue at each variable that only twinseal may set. */
export function refuseOwned(
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

export const buildSchema = z
  .strictObject(buildShape)
  .refine((build) => (build.package === undefined) !== (build.file === undefined), "needs either `package` or `file`")
  .superRefine((build, context) => refuseOwned(build.env, ["env"], context));
