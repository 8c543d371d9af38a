import { z } from "zod";
import { pinnedImagePattern } from "../inputs/oci-reference.ts";

/** The keys of which a compiler has exactly one. */
export const compilerKinds = ["debian", "image"] as const;

export const compilerSchema = z.union([
  z.strictObject({
    debian: z
      .string()
      .regex(/^[a-z][a-z0-9-]*$/, "is not a Debian suite; write for example trixie")
      .describe(
        "Codename of the Debian suite that the packages come from. Trusted once, when `pin` resolves it: apt checks Debian's signature; from then on the lock's digests hold.",
      ),
    packages: z
      .array(z.string().regex(/^[a-z0-9][a-z0-9+.-]*$/, "is not a Debian package's name"))
      .min(1)
      .describe(
        "Packages wanted; `pin` adds what they depend on. Trusted: a C compiler can put anything into the binary.",
      ),
  }),
  z.strictObject({
    image: z
      .string()
      .regex(
        pinnedImagePattern,
        "must name registry, image and digest, since a tag can be moved; write registry/name@sha256:<digest>, as twinseal pin --resolve-image registry/name:tag prints it",
      )
      .describe(
        "OCI image whose files the build sees. The registry is not trusted, the digest is: whoever sets it chooses the compiler.",
      ),
  }),
]);
export type Compiler = z.infer<typeof compilerSchema>;
