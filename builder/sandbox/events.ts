import { z } from "zod";
import type { SandboxEvent } from "./driver.ts";

const eventSchema = z.discriminatedUnion("event", [
  z.object({ event: z.literal("ready") }),
  z.object({ event: z.literal("start"), step: z.string() }),
  z.object({ event: z.literal("output"), step: z.string(), text: z.string() }),
  z.object({ event: z.literal("graph"), step: z.string(), packages: z.array(z.string()) }),
  z.object({
    event: z.literal("exit"),
    step: z.string(),
    exit: z.int().optional(),
    signal: z.string().optional(),
    peakRssBytes: z.int().optional(),
    cpuMs: z.int().optional(),
  }),
  z.object({ event: z.literal("error"), step: z.string(), text: z.string() }),
  z.object({
    event: z.literal("done"),
    files: z
      .array(z.string())
      .nullish()
      .transform((files) => files ?? []),
  }),
]);

/** Turns the bytes of init's standard output into events, one per line. */
export function createEventReader(onEvent: (event: SandboxEvent) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = [];
  return (chunk) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = Buffer.concat([...parts, chunk.subarray(start, end)]).toString("utf8");
      parts = [];
      start = end + 1;
      onEvent(eventSchema.parse(JSON.parse(line)));
    }
    parts.push(chunk.subarray(start));
  };
}
