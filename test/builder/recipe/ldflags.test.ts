import { describe, expect, it } from "vitest";
import { ldflagsFault } from "../../../builder/recipe/ldflags.ts";

describe("linker flags of a recipe", () => {
  it.each([
    "-s -w -buildid= -X main.version={version}",
    "-X=main.name=value -X 'main.words=two words' -checklinkname=0",
    "-linkmode=external -extldflags '-Wl,--build-id=none -Wl,-rpath,$ORIGIN'",
    '-extldflags "-Wl,-z,muldefs -static -z noexecstack"',
    "",
  ])("may be %j", (text) => {
    expect(ldflagsFault(text)).toBeUndefined();
  });

  it.each([
    ["-s -importcfg=pre/cfg", '"-importcfg=pre/cfg"'],
    ["-o /tmp/x", '"-o"'],
    ["-L dir", '"-L"'],
    ["--extld=./cc", '"--extld=./cc"'],
    ["-s pre.a", '"pre.a"'],
    ["-X main.a=b -r /lib", '"-r"'],
    ["-s '-o x", "quote"],
  ])("may not be %j", (text, named) => {
    expect(ldflagsFault(text)).toContain(named);
  });
});
