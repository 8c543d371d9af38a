import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeDebianRootfs } from "../../builder/inputs/debian-rootfs.ts";
import { rootfsTree } from "../../builder/inputs/rootfs.ts";
import { runProcess } from "../../builder/process.ts";
import { reportSchema } from "../../builder/report.ts";
import { hostSuite, lackOfCompiler, pinCompiler } from "../support/compiler.ts";
import { layoutFiles, writeFiles } from "../support/image-files.ts";
import { makeImage } from "../support/image-maker.ts";
import { openPlace } from "../support/place.ts";
import { openProject, projectRecipe } from "../support/project.ts";
import { whiteout } from "../support/tar-maker.ts";
import { openToolchain } from "../support/toolchain.ts";

const main = `package main

// static const char *say(void) { return "said by C"; }
import "C"

func main() { println(C.GoString(C.say())) }
`;

it("a program with C in it is built twice with the compiler of an image that was pinned from a file", async (context) => {
  const lack = await lackOfCompiler();
  if (lack !== undefined || process.arch !== "x64") return context.skip(lack ?? "the image is for amd64");
  const { store } = await openToolchain();
  const { rootfs, packages } = await pinCompiler(store, await hostSuite(), ["gcc", "libc6-dev"]);
  const gcc = await rootfsTree(store, rootfs, (dir) => makeDebianRootfs(store, packages, dir));
  await using place = await openPlace();
  // As somebody would have made an image of it: a layer that has all, and one on top that takes something away.
  const tar = join(place.dir, "layer.tar");
  const packed = await runProcess(["tar", "--sort=name", "-C", gcc, "-cf", tar, "."], {
    env: { PATH: process.env["PATH"] ?? "" },
    timeoutMs: 120_000,
  });
  expect(packed.code, packed.stderr).toBe(0);
  const image = makeImage([await readFile(tar), [whiteout("usr/bin/g++")]], { packing: "tar" });
  const layout = await writeFiles(join(place.dir, "layout"), layoutFiles(image));

  const recipe = await projectRecipe(
    `  cgo: true\ncompiler: {image: "registry.example.test/gcc@sha256:${image.manifest.sha256}"}\ncheck: {run: [], prints: said by C}\n`,
  );
  await using project = await openProject({
    "twinseal.yaml": recipe.replace(", linux/arm64", ""),
    "go.mod": "module example.test/tiny\n\ngo 1.21\n",
    "main.go": main,
  });
  const pinned = await project.run(["pin", "@1.0.0", "--image-from", layout]);
  expect(pinned.code, pinned.stderr).toBe(0);
  const built = await project.run(["build", "--offline"]);
  expect(built.code, built.stderr).toBe(0);
  const path = join(project.dir, "twinseal-out/tiny-v1.0.0/report.json");
  const report = reportSchema.parse(JSON.parse(await readFile(path, "utf8")));
  expect(report.targets[0]).toMatchObject({ verdict: "match", check: { ran: true, passed: true } });
});
