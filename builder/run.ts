import { z } from "zod";
import { dimensionIdSchema } from "./dimensions.ts";
import { sha256Schema } from "./digest.ts";
import { platformSchema } from "./platform.ts";

/**
 * `run.json`: what one side's build was and gave. Written beside the artifacts; read back as untrusted data: whoever
 * compares digests the artifacts again.
 */
export const artifactSchema = z.strictObject({
  /** File name inside the run's folder: one path component. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  sha256: sha256Schema,
  sizeBytes: z.int().nonnegative(),
});
export type Artifact = z.infer<typeof artifactSchema>;

export const stepResultSchema = z.strictObject({
  id: z.string(),
  argv: z.array(z.string()),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  durationMs: z.number().nonnegative(),
  /** Largest resident set of one process of the step. */
  peakRssBytes: z.number().nonnegative(),
  /** Processor time of the step and everything it started. */
  cpuMs: z.number().nonnegative(),
});
export type StepResult = z.infer<typeof stepResultSchema>;

/** What the probe program saw inside the sandbox, as text; a dimension it cannot see is absent. */
export const observedSchema = z.partialRecord(dimensionIdSchema, z.string());
export type Observed = z.infer<typeof observedSchema>;

export const runSchema = z.strictObject({
  run: z.literal(1),
  /** Random, unique for each run: two folders of one run are refused. */
  id: z.uuid(),
  side: z.enum(["a", "b"]),
  name: z.string(),
  version: z.string(),
  platform: platformSchema,
  /** Digest of the lock's canonical JSON. */
  lock: z.strictObject({ sha256: sha256Schema }),
  /** True for a path source: such a run can be compared, never sealed. */
  local: z.boolean(),
  driver: z.string(),
  tools: z.record(z.string(), z.string()),
  host: z.strictObject({ platform: z.string(), kernel: z.string() }),
  /** The plan as executed, see plan.ts. */
  plan: z.json(),
  observed: observedSchema,
  /** Reasons for dimensions this run could not vary, by dimension. */
  unvaried: z.partialRecord(dimensionIdSchema, z.string()),
  /** Reasons from the recipe's `fix`. */
  fixed: z.partialRecord(dimensionIdSchema, z.string()),
  startedAt: z.iso.datetime(),
  durationMs: z.number().nonnegative(),
  steps: z.array(stepResultSchema),
  packages: z.strictObject({ total: z.int().nonnegative(), compiled: z.int().nonnegative() }),
  outcome: z.enum(["built", "failed"]),
  failure: z.strictObject({ step: z.string(), message: z.string(), excerpt: z.array(z.string()) }).optional(),
  artifacts: z.array(artifactSchema),
});
export type Run = z.infer<typeof runSchema>;
