import { z } from "zod";
import type { Outcome } from "../cli/json.ts";

/** The stable core of report.json, as far as outputs and summary show it. */
const reportViewSchema = z.looseObject({
  name: z.string(),
  version: z.string(),
  verdict: z.string(),
  targets: z.array(
    z.looseObject({
      platform: z.string(),
      verdict: z.string(),
      artifacts: z.array(z.looseObject({ name: z.string(), sha256: z.string(), sizeBytes: z.number() })),
      dimensions: z.array(
        z.looseObject({
          id: z.string(),
          a: z.unknown(),
          b: z.unknown(),
          varied: z.boolean(),
          reason: z.string().optional(),
        }),
      ),
    }),
  ),
});
export type ReportView = z.infer<typeof reportViewSchema>;

/** The report that a command ended with, if it made one. */
export function reportOf(outcome: Outcome): ReportView | undefined {
  return reportViewSchema.safeParse(outcome.document?.["report"]).data;
}
