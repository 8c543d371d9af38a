import { z } from "zod";
import type { AgainstResult } from "./against.ts";
import { checksPassed, type CheckResult } from "./check-artifact.ts";
import type { LinkageResult } from "./check-linkage.ts";
import type { Comparison } from "./compare.ts";
import { dimensionIdSchema, dimensions, type DimensionId } from "./dimensions.ts";
import { sha256Schema, type Sha256 } from "./digest.ts";
import type { Explanation } from "./explain/cause.ts";
import { platformSchema, type Platform } from "./platform.ts";
import { isVaried, seenOf } from "./varied.ts";
import { artifactSchema, runSchema, type Run } from "./run.ts";

/**
 * `report.json`: the verdict of a twin build with everything a stranger needs to repeat and to doubt it. The core is
 * stable (name, version, verdict, targets, artifacts, dimensions, differences, explanation).
 */
export const verdictSchema = z.enum(["match", "mismatch", "suspect", "check-failed", "build-failed"]);
export type Verdict = z.infer<typeof verdictSchema>;

const rangeSchema = z.strictObject({ start: z.int(), end: z.int() });
const differenceSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("bytes"),
    name: z.string(),
    sizeBytes: z.strictObject({ a: z.int(), b: z.int() }),
    firstOffset: z.int(),
    differingBytes: z.int(),
    ranges: z.array(rangeSchema),
    rangeCount: z.int(),
    density: z.array(z.int()),
    section: z.string().optional(),
    symbol: z.string().optional(),
    excerpt: z.strictObject({ a: z.string(), b: z.string() }),
    sections: z.array(
      z.strictObject({ name: z.string(), offset: z.int(), sizeBytes: z.int(), differingBytes: z.int() }),
    ),
  }),
  z.strictObject({ kind: z.enum(["only-in-a", "only-in-b"]), name: z.string() }),
  z.strictObject({ kind: z.enum(["failed-in-a", "failed-in-b"]), name: z.string(), message: z.string() }),
]);

const dimensionSchema = z.strictObject({
  id: dimensionIdSchema,
  about: z.string(),
  /** What the probe saw on each side; absent where it saw nothing. */
  a: z.string().optional(),
  b: z.string().optional(),
  varied: z.boolean(),
  reason: z.string().optional(),
});
export type Dimension = z.infer<typeof dimensionSchema>;

const targetSchema = z.strictObject({
  platform: platformSchema,
  verdict: verdictSchema,
  artifacts: z.array(artifactSchema),
  dimensions: z.array(dimensionSchema),
  differences: z.array(differenceSchema).optional(),
  findings: z.array(z.strictObject({ artifact: z.string(), offset: z.int(), text: z.string() })).optional(),
  explanation: z.strictObject({ cause: dimensionIdSchema.optional(), text: z.string(), hint: z.string() }).optional(),
  failure: z
    .strictObject({ code: z.string(), message: z.string(), excerpt: z.array(z.string()), log: z.string() })
    .optional(),
  check: z
    .discriminatedUnion("ran", [
      z.strictObject({ ran: z.literal(false), reason: z.string() }),
      z.strictObject({
        ran: z.literal(true),
        passed: z.boolean(),
        expected: z.string(),
        printed: z.string(),
        /** For amd64: the same on an emulated processor that has what its GOAMD64 allows and little more. */
        oldest: z
          .discriminatedUnion("ran", [
            z.strictObject({ ran: z.literal(false), reason: z.string() }),
            z.strictObject({ ran: z.literal(true), processor: z.string(), passed: z.boolean(), printed: z.string() }),
          ])
          .optional(),
      }),
    ])
    .optional(),
  links: z
    .strictObject({
      needed: z.array(z.string()),
      runpath: z.string().optional(),
      glibc: z.string().optional(),
      faults: z.array(z.string()),
    })
    .optional(),
  against: z
    .strictObject({
      equal: z.boolean(),
      artifact: z.string(),
      published: z.string().optional(),
      built: z.string().optional(),
    })
    .optional(),
  runs: z.strictObject({ a: runSchema, b: runSchema }),
});
export type ReportTarget = z.infer<typeof targetSchema>;

export const reportSchema = z.strictObject({
  report: z.literal(1),
  name: z.string(),
  version: z.string(),
  verdict: verdictSchema,
  /** True for a working tree: the report can be read, the artifacts can never be sealed. */
  local: z.boolean(),
  lock: z.strictObject({ sha256: sha256Schema }),
  tool: z.strictObject({ name: z.literal("twinseal"), version: z.string() }),
  createdAt: z.iso.datetime(),
  targets: z.array(targetSchema).min(1),
});
export type Report = z.infer<typeof reportSchema>;

export type JudgedTarget = {
  readonly platform: Platform;
  readonly a: Run;
  readonly b: Run;
  readonly comparison?: Comparison;
  readonly failure?: NonNullable<ReportTarget["failure"]>;
  readonly explanation?: Explanation;
  readonly check?: CheckResult;
  readonly links?: LinkageResult;
  readonly against?: AgainstResult;
};

export type ReportInput = {
  readonly name: string;
  readonly version: string;
  readonly lockSha256: Sha256;
  readonly tool: { readonly version: string };
  readonly createdAt: string;
  readonly targets: readonly JudgedTarget[];
};

/** Pure: the report over what was judged. A target without a comparison is a failure, never a match. */
export function makeReport(input: ReportInput): Report {
  const targets = input.targets.map(reportTarget);
  return reportSchema.parse({
    report: 1,
    name: input.name,
    version: input.version,
    verdict: worstOf(targets.map(({ verdict }) => verdict)),
    local: input.targets.some(({ a, b }) => a.local || b.local),
    lock: { sha256: input.lockSha256 },
    tool: { name: "twinseal", version: input.tool.version },
    createdAt: input.createdAt,
    targets,
  } satisfies Report);
}

/** The verdict of several targets. */
export function worstOf(verdicts: readonly Verdict[]): Verdict {
  const order: readonly Verdict[] = ["build-failed", "mismatch", "suspect", "check-failed", "match"];
  return order.find((verdict) => verdicts.includes(verdict)) ?? "build-failed";
}

function reportTarget(target: JudgedTarget): ReportTarget {
  const { platform, a, b, comparison, failure, explanation, check, links, against } = target;
  return {
    platform,
    verdict:
      comparison === undefined
        ? "build-failed"
        : comparison.verdict === "match" && !checksPassed({ check, links })
          ? "check-failed"
          : comparison.verdict,
    artifacts:
      comparison === undefined || comparison.verdict === "mismatch"
        ? []
        : [...(comparison.verdict === "match" ? comparison.artifacts.artifacts : comparison.artifacts)],
    dimensions: dimensions.map(({ id, about }) => reportDimension(id, about, a, b)),
    ...(comparison?.verdict === "mismatch" ? { differences: comparison.differences.map(writable) } : {}),
    ...(comparison?.verdict === "suspect" ? { findings: [...comparison.findings] } : {}),
    ...(explanation === undefined ? {} : { explanation: { ...explanation } }),
    ...(failure === undefined ? {} : { failure }),
    ...(check === undefined ? {} : { check: { ...check } }),
    ...(links === undefined ? {} : { links: { ...links, needed: [...links.needed], faults: [...links.faults] } }),
    ...(against === undefined
      ? {}
      : {
          against: {
            equal: against.equal,
            artifact: against.artifact,
            ...(against.published === undefined ? {} : { published: against.published }),
            ...(against.built === undefined ? {} : { built: against.built }),
          },
        }),
    runs: { a, b },
  };
}

type ReportDifference = NonNullable<ReportTarget["differences"]>[number];

function writable(difference: Extract<Comparison, { verdict: "mismatch" }>["differences"][number]): ReportDifference {
  if (difference.kind !== "bytes") return { ...difference };
  const { section, symbol, ranges, density, sections, ...rest } = difference;
  return {
    ...rest,
    ranges: [...ranges],
    density: [...density],
    sections: [...sections],
    ...(section === undefined ? {} : { section }),
    ...(symbol === undefined ? {} : { symbol }),
  };
}

/** `varied` comes from what the probes saw, never from what was planned. */
export function reportDimension(id: DimensionId, about: string, a: Run, b: Run): Dimension {
  const seen = { a: seenOf(id, a), b: seenOf(id, b) };
  const varied = isVaried(id, a, b);
  const reason = varied
    ? undefined
    : (b.fixed[id] ?? a.fixed[id] ?? b.unvaried[id] ?? a.unvaried[id] ?? whyNot(seen.a, seen.b));
  return {
    id,
    about,
    ...(seen.a === undefined ? {} : { a: seen.a }),
    ...(seen.b === undefined ? {} : { b: seen.b }),
    varied,
    ...(reason === undefined ? {} : { reason }),
  };
}

function whyNot(left: string | undefined, right: string | undefined): string {
  return left === undefined || right === undefined ? "no probe can see it" : "both sandboxes showed the same value";
}

/** How many dimensions were varied, of all. */
export function countVaried(target: Pick<ReportTarget, "dimensions">): { varied: number; all: number } {
  return { varied: target.dimensions.filter(({ varied }) => varied).length, all: target.dimensions.length };
}
