import { describe, expect, it } from "vitest";
import { TwinsealError } from "../../../builder/errors.ts";
import { createHttp } from "../../../builder/http.ts";
import { lockImage, type ImagePinDeps } from "../../../builder/recipe/pin-image.ts";
import { openHostileRegistry, type Answer, type Asked } from "../../support/hostile-registry.ts";
import { makeImage } from "../../support/image-maker.ts";
import { openPlace, type Place } from "../../support/place.ts";
import { file } from "../../support/tar-maker.ts";

const image = makeImage([[file("usr/bin/gcc", "old", 0o755)], [file("usr/bin/gcc", "new", 0o755)]]);
const blobs = [image.manifest, image.config, ...image.layers];

const depsIn = (place: Place, more: Partial<ImagePinDeps> = {}): ImagePinDeps => ({
  store: place.store,
  http: createHttp(),
  host: "linux/amd64",
  say: () => {},
  ...more,
});
const nameIn = (registry: string) => `${registry}/tools/gcc@sha256:${image.manifest.sha256}`;

describe("a token", () => {
  const TOKEN = "very-secret-token";
  const challenge = (realm: string) => ({
    status: 401,
    headers: {
      "www-authenticate": `Basic realm="x, y", Bearer service="s",realm="${realm}",scope="registry:catalog:*"`,
    },
  });

  it("is asked for once, for this repository only, and goes to no other origin at a redirect", async () => {
    await using elsewhere = await openHostileRegistry();
    await using server = await openHostileRegistry(blobs);
    await using place = await openPlace();
    elsewhere.lie = ({ path }) => ({ body: server.blobs.get(path.slice(1).replace(/\?.*/, ""))?.bytes ?? "" });
    server.lie = ({ path, headers }) => {
      if (path.startsWith("/token")) return { body: JSON.stringify({ access_token: TOKEN }) };
      if (headers.authorization !== `Bearer ${TOKEN}`) return challenge(`${server.url}/token`);
      if (!path.includes("/blobs/")) return undefined;
      return { status: 307, headers: { location: `${elsewhere.url}/${path.split("/").at(-1)}?signature=s` } };
    };
    await lockImage(nameIn(server.registry), depsIn(place));
    const tokens = server.asked.filter(({ path }) => path.startsWith("/token"));
    expect(tokens.map(({ path }) => path)).toEqual(["/token?scope=repository%3Atools%2Fgcc%3Apull&service=s"]);
    expect(elsewhere.asked).toHaveLength(3);
    expect(elsewhere.asked.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  it("never stands in an error, however the registry fails", async () => {
    await using server = await openHostileRegistry(blobs);
    await using place = await openPlace();
    const password = Buffer.from("user:secret word").toString("base64");
    const deps = depsIn(place, { registryAuth: async () => password });
    const token = (body: string) => (asked: Asked) =>
      asked.path.startsWith("/token") ? { body } : challenge(`${server.url}/token`);
    const faults: readonly [string, HostileLie][] = [
      ["REGISTRY_DENIED", token(JSON.stringify({ token: TOKEN }))], // 401 for ever
      ["REGISTRY_UNFIT", token(`${TOKEN} is not JSON`)],
      ["REGISTRY_UNFIT", token(JSON.stringify({ token: `${TOKEN}\r\nx: y` }))],
      ["REGISTRY_UNFIT", token("{}")],
      ["REGISTRY_UNFIT", () => challenge("http://token.example.test/")],
      ["REGISTRY_UNFIT", () => challenge("file:///etc/passwd")],
      ["REGISTRY_DENIED", () => ({ status: 403, body: TOKEN })],
      ["REGISTRY_DENIED", () => ({ status: 401, headers: { "www-authenticate": 'Negotiate x="y"' } })],
      [
        "NETWORK",
        ({ path }) =>
          path.startsWith("/token") ? { cutAfterBytes: 0, body: TOKEN } : challenge(`${server.url}/token`),
      ],
    ];
    for (const [code, lie] of faults) {
      server.lie = lie;
      server.asked.length = 0;
      const error: unknown = await lockImage(nameIn(server.registry), deps).catch((fault: unknown) => fault);
      if (!(error instanceof TwinsealError)) throw new Error(`no error of ours for ${code}`);
      expect({ kind: error.kind, code: error.code }).toEqual({ kind: "world", code });
      const told = [error.message, error.hint, String(error.cause)].join(" ");
      for (const secret of [TOKEN, password, "secret word"]) expect(told).not.toContain(secret);
      expect(server.asked.length).toBeLessThan(10);
    }
  });

  type HostileLie = (asked: Asked, honest: Answer) => Answer | undefined;
});
