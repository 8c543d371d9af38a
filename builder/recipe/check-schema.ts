import { z } from "zod";
import { placeholderNames } from "./placeholders.ts";
import { textWith } from "./text-schema.ts";

/** What the built artifact must do when it is started, and what it may link to. */
export const checkSchema = z.strictObject({
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
  links: z
    .strictObject({
      needed: z
        .array(z.string().min(1))
        .describe(
          "Exactly the libraries that it names (DT_NEEDED); an empty list for a static program. Not trusted: checked against its headers.",
        ),
      runpath: z
        .string()
        .min(1)
        .optional()
        .describe("Exactly its run path, for example $ORIGIN; absent: none. Not trusted: checked against its headers."),
      glibc: z
        .string()
        .regex(/^\d+(\.\d+)+$/, 'is not a version of glibc; write for example "2.34"')
        .optional()
        .describe(
          "The oldest glibc that must start it: no symbol may want a newer one. Not trusted: checked against the versions that its symbols want.",
        ),
    })
    .optional()
    .describe(
      "What an ELF program links to, read from its headers, for every target. Not trusted: it is compared with what is built.",
    ),
});
