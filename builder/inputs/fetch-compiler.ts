import { access } from "node:fs/promises";
import { join } from "node:path";
import { TwinsealError } from "../errors.ts";
import type { Http } from "../http.ts";
import type { Lock } from "../recipe/lock.ts";
import type { Store } from "../store/store.ts";
import { parseReference } from "./oci-reference.ts";
import type { RegistryAuth } from "./oci-registry.ts";

type CompilerDeps = { readonly http: Http; readonly registryAuth?: RegistryAuth | undefined };

/** The lock without a compiler that is laid out already: that one needs no archive. */
export async function withoutMade(lock: Lock, store: Store): Promise<Lock> {
  const { compiler, ...rest } = lock;
  if (compiler === undefined) return lock;
  const isMade = await access(join(store.root, "trees", compiler.rootfs.sha256)).then(
    () => true,
    () => false,
  );
  return isMade ? rest : lock;
}

/** Throws `caller/IMAGE_UNUSED`, and what `takeImage` throws. */
export async function takeCompiler({ name, compiler }: Lock, path: string, store: Store): Promise<void> {
  if (compiler?.kind !== "image") {
    throw new TwinsealError("caller", "IMAGE_UNUSED", `${name} has no compiler from an image`, {
      hint: "leave --image-from out",
    });
  }
  const { takeImage } = await import("./oci-layout.ts");
  await takeImage(compiler, path, store);
}

/** An Http that can ask the registry of the compiler's image too, which may want a token. */
export async function compilerHttp({ compiler }: Lock, { http, registryAuth }: CompilerDeps): Promise<Http> {
  if (compiler?.kind !== "image") return http;
  const { createRegistryHttp } = await import("./oci-registry.ts");
  return createRegistryHttp(parseReference(compiler.image), http, registryAuth);
}
