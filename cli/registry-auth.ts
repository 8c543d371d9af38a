import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { TwinsealError, systemCodeOf } from "../builder/errors.ts";
import { isDockerHub } from "../builder/inputs/oci-reference.ts";
import type { RegistryAuth } from "../builder/inputs/oci-registry.ts";

const configSchema = z.object({
  auths: z.record(z.string(), z.object({ auth: z.base64().optional() })).optional(),
});

/**
 * Passwords as `docker login` stores them, in `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`; nothing where there
 * is no such file. No credential helper is started. Throws `caller/DOCKER_CONFIG_INVALID`, without a word of the file.
 */
export function dockerAuth(env: Readonly<Record<string, string | undefined>>): RegistryAuth {
  const path = join(env["DOCKER_CONFIG"] ?? join(env["HOME"] ?? homedir(), ".docker"), "config.json");
  return async (registry) => {
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      if (systemCodeOf(error) === "ENOENT" || systemCodeOf(error) === "ENOTDIR") return undefined;
      throw error;
    });
    if (text === undefined) return undefined;
    const parsed = configSchema.safeParse(parseJson(text));
    if (!parsed.success) {
      throw new TwinsealError("caller", "DOCKER_CONFIG_INVALID", `${path} is not a configuration of Docker`, {
        hint: "correct it, or set DOCKER_CONFIG to another directory",
      });
    }
    const names = isDockerHub(registry) ? ["https://index.docker.io/v1/", "docker.io", "index.docker.io"] : [registry];
    const found = names.flatMap((name) => [name, `https://${name}`, `https://${name}/`]);
    const password = found.map((name) => parsed.data.auths?.[name]?.auth).find((auth) => auth !== undefined);
    return password === "" ? undefined : password;
  };
}

/** The parser's own error would quote the file. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
