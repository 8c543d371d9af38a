import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { dockerAuth } from "../../cli/registry-auth.ts";
import { openPlace } from "../support/place.ts";

const encode = (text: string) => Buffer.from(text).toString("base64");

it("a password is what docker login stored for this registry, and no other's", async () => {
  await using place = await openPlace();
  const auths = {
    "https://index.docker.io/v1/": { auth: encode("hub:a") },
    "ghcr.io": { auth: encode("gh:b") },
    "https://quay.test": { auth: encode("quay:c") },
    "helper.test": {},
  };
  await mkdir(join(place.dir, ".docker"));
  await writeFile(join(place.dir, ".docker/config.json"), JSON.stringify({ auths, credsStore: "desktop" }));
  const auth = dockerAuth({ HOME: place.dir });
  expect(await auth("docker.io")).toBe(encode("hub:a"));
  expect(await auth("ghcr.io")).toBe(encode("gh:b"));
  expect(await auth("quay.test")).toBe(encode("quay:c"));
  for (const name of ["helper.test", "other.test", "evil.ghcr.io", "ghcr.io:444", "constructor"])
    expect(await auth(name)).toBeUndefined();
  expect(await dockerAuth({ HOME: place.dir, DOCKER_CONFIG: join(place.dir, "none") })("ghcr.io")).toBeUndefined();
});

it("a configuration that is none is an error that quotes nothing of it", async () => {
  await using place = await openPlace();
  const path = join(place.dir, "config.json");
  for (const text of [
    "secret-word {",
    '{"auths":{"a.test":{"auth":"secret-word\\r\\nx: y"}}}',
    '{"auths":"secret-word"}',
  ]) {
    await writeFile(path, text);
    const error: unknown = await dockerAuth({ DOCKER_CONFIG: place.dir })("a.test").catch((fault: unknown) => fault);
    expect(error).toMatchObject({ kind: "caller", code: "DOCKER_CONFIG_INVALID" });
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain("secret-word");
  }
});
