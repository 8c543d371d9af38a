import { describe, expect, it } from "vitest";
import { bearerChallenge } from "../../../builder/inputs/bearer-challenge.ts";
import { parseReference, pinnedImagePattern, repositoryUrl } from "../../../builder/inputs/oci-reference.ts";

const digest = "a".repeat(64);

describe("an image's name", () => {
  it("always has its registry; docker.io is where docker looks, with library/ for one-part names", () => {
    for (const [name, url] of [
      ["docker.io/gcc:14", "https://registry-1.docker.io/v2/library/gcc/"],
      ["docker.io/library/gcc:14", "https://registry-1.docker.io/v2/library/gcc/"],
      ["index.docker.io/acme/gcc", "https://registry-1.docker.io/v2/acme/gcc/"],
      ["ghcr.io/acme/tools/gcc:14.2_x", "https://ghcr.io/v2/acme/tools/gcc/"],
      ["registry.example.test:5000/gcc", "https://registry.example.test:5000/v2/gcc/"],
      ["tools:5000/gcc", "https://tools:5000/v2/gcc/"],
      ["localhost:5000/gcc", "http://localhost:5000/v2/gcc/"],
      ["127.0.0.1:5000/a/b", "http://127.0.0.1:5000/v2/a/b/"],
    ] as const)
      expect(repositoryUrl(parseReference(name))).toBe(url);
    expect(parseReference(`localhost/gcc:14@sha256:${digest}`)).toMatchObject({ repository: "gcc", tag: "14", digest });
  });

  it("that could mean another place, or no image, is refused", () => {
    for (const name of [
      "gcc:14",
      "library/gcc:14",
      "docker.io/Gcc",
      "docker.io/../gcc",
      "docker.io/gcc/",
      "docker.io//gcc",
      "https://docker.io/gcc",
      "user:pass@docker.io/gcc",
      "docker.io/gcc?x=y",
      "docker.io/gcc#x",
      "127.0.0.1.example.test@evil/gcc",
      `docker.io/gcc@sha256:${digest.toUpperCase()}`,
      `docker.io/gcc@sha512:${digest}${digest}`,
      `docker.io/gcc@sha256:${digest}\n`,
    ])
      expect(() => parseReference(name), name).toThrow(expect.objectContaining({ code: "IMAGE_REFERENCE_INVALID" }));
    // Only loopback is asked without TLS, whatever a name looks like.
    for (const name of ["127.0.0.1.example.test/gcc", "localhost.example.test/gcc", "128.0.0.1:80/gcc"])
      expect(repositoryUrl(parseReference(name))).toMatch(/^https:/);
  });

  it("must have its digest in a recipe", () => {
    expect(pinnedImagePattern.test(`docker.io/library/gcc:14@sha256:${digest}`)).toBe(true);
    expect(pinnedImagePattern.test(`docker.io/library/gcc@sha256:${digest}`)).toBe(true);
    for (const name of ["docker.io/library/gcc:14", `gcc@sha256:${digest}`, `library/gcc@sha256:${digest}`])
      expect(pinnedImagePattern.test(name), name).toBe(false);
  });
});

describe("what a registry wants", () => {
  it("is read as registries write it", () => {
    for (const [header, challenge] of [
      [
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/gcc:pull"',
        { realm: "https://auth.docker.io/token", service: "registry.docker.io" },
      ],
      ['bearer realm=https://a.test/t , service="a, b=\\"c\\""', { realm: "https://a.test/t", service: 'a, b="c"' }],
      [
        'Basic realm="Bearer realm=x", Bearer realm="https://a.test/t"',
        { realm: "https://a.test/t", service: undefined },
      ],
      ['Bearer service="s"', undefined],
      ['Basic realm="x"', undefined],
      ["", undefined],
    ] as const)
      expect(bearerChallenge(header)).toEqual(challenge);
  });
});
