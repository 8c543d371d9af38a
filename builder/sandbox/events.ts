import { z } from "zod";
import type { SandboxEvent } from "./driver.ts";

/** An output that leaves a container: its bytes follow the event's line. */
const fileSchema = z.object({
  event: z.literal("file"),
  name: z.string(),
  sizeBytes: z.int().nonnegative().default(0),
  executable: z.boolean().default(false),
});
export type SentFile = Omit<z.infer<typeof fileSchema>, "event">;

const eventSchema = z.discriminatedUnion("event", [
  z.object({ event: z.literal("ready") }),
  z.object({ event: z.literal("power"), refused: z.record(z.string(), z.string()).default({}) }),
  z.object({ event: z.literal("start"), step: z.string() }),
  z.object({ event: z.literal("output"), step: z.string(), text: z.string() }),
  z.object({ event: z.literal("graph"), step: z.string(), packages: z.array(z.string()).default([]) }),
  z.object({ event: z.literal("written"), step: z.string(), sizeBytes: z.int().nonnegative().default(0) }),
  z.object({
    event: z.literal("exit"),
    step: z.string(),
    exit: z.int().optional(),
    signal: z.string().optional(),
    peakRssBytes: z.int().optional(),
    cpuMs: z.int().optional(),
  }),
  z.object({ event: z.literal("error"), step: z.string(), text: z.string() }),
  fileSchema,
  z.object({
    event: z.literal("done"),
    files: z
      .array(z.string())
      .nullish()
      .transform((files) => files ?? []),
  }),
]);

/** Where a sent file's bytes go, in order; `close` is called once all of them came. */
export type OpenedFile = {
  readonly write: (bytes: Buffer) => Promise<void>;
  readonly close: () => Promise<void>;
};
export type ReceiveFile = (file: SentFile) => Promise<OpenedFile>;

/** Turns the bytes of init's standard output into events, one per line, and files. Call it with one chunk at a time. */
export function createEventReader(
  onEvent: (event: SandboxEvent) => void,
  receiveFile: ReceiveFile,
): (chunk: Buffer) => Promise<void> {
  let parts: Buffer[] = [];
  let receiving: { readonly file: OpenedFile; leftBytes: number } | undefined;
  const takeBytes = async (bytes: Buffer): Promise<Buffer> => {
    if (receiving === undefined) return bytes;
    const own = bytes.subarray(0, receiving.leftBytes);
    if (own.length > 0) await receiving.file.write(own);
    receiving.leftBytes -= own.length;
    if (receiving.leftBytes === 0) {
      await receiving.file.close();
      receiving = undefined;
    }
    return bytes.subarray(own.length);
  };
  return async (chunk) => {
    for (let rest = await takeBytes(chunk); rest.length > 0; rest = await takeBytes(rest)) {
      const end = rest.indexOf(10);
      if (end < 0) {
        parts.push(rest);
        return;
      }
      const line = Buffer.concat([...parts, rest.subarray(0, end)]).toString("utf8");
      parts = [];
      rest = rest.subarray(end + 1);
      const event = eventSchema.parse(JSON.parse(line));
      if (event.event !== "file") onEvent(event);
      else {
        const { event: _, ...sent } = event;
        receiving = { file: await receiveFile(sent), leftBytes: sent.sizeBytes };
        if (sent.sizeBytes === 0) await takeBytes(rest.subarray(0, 0));
      }
    }
  };
}
