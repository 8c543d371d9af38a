import { expect, test } from "vitest";
import { codeChoosing } from "../../../builder/recipe/load-packages.ts";

test("of a recipe's variables the go command that runs outside a sandbox gets those alone that choose code", () => {
  const env = {
    GOEXPERIMENT: "jsonv2",
    GOAMD64: "v3",
    CGO_CFLAGS: "-O2",
    GOAUTH: "/bin/sh x",
    HTTPS_PROXY: "http://h",
  };
  expect(
    codeChoosing({ ...env, SSL_CERT_FILE: "/x", XDG_CONFIG_HOME: "/x", PKG_CONFIG: "/x", LD_PRELOAD: "/x" }),
  ).toEqual({
    GOEXPERIMENT: "jsonv2",
    GOAMD64: "v3",
  });
  expect(codeChoosing(undefined)).toEqual({});
});
