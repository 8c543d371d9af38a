import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { create } from "tar";
import { describe, expect, it } from "vitest";
import { createHttp } from "../../../builder/http.ts";
import { goProxyOfDownload } from "../../../builder/inputs/go-download.ts";
import { proxiesFrom } from "../../../builder/inputs/go-proxy.ts";
import { openModuleServer } from "../../support/module-server.ts";
import { openPlace, type Place } from "../../support/place.ts";

/** Go's download page cannot be had everywhere: one with the same layout, in which a Go consists of its go.env. */
async function makePage(dir: string, goEnv: string, size?: number): Promise<Record<string, Uint8Array>> {
  await mkdir(join(dir, "go", "src"), { recursive: true });
  await writeFile(join(dir, "go", "go.env"), goEnv);
  await writeFile(join(dir, "go", "src", "go.env"), "GOPROXY=https://not.this.test\n");
  await create({ cwd: dir, file: join(dir, "go.tar.gz"), gzip: true }, ["go"]);
  const archive = await readFile(join(dir, "go.tar.gz"));
  const filename = "go1.30.1.linux-amd64.tar.gz";
  const file = { filename, sha256: createHash("sha256").update(archive).digest("hex"), size: size ?? archive.length };
  const releases = [
    { version: "go1.31rc1", stable: false, files: [{ ...file, filename: "go1.31rc1.linux-amd64.tar.gz" }] },
    { version: "go1.30.1", stable: true, files: [file] },
  ];
  return { "/dl/?mode=json&include=all": Buffer.from(JSON.stringify(releases)), [`/dl/${filename}`]: archive };
}

const asked = (place: Place, url: string, host: "linux/amd64" | "linux/arm64" = "linux/amd64") =>
  goProxyOfDownload({ store: place.store, http: createHttp(), host, page: `${url}/dl/` });

describe("without GOPROXY and without an installed Go", () => {
  it("the proxy is the one that go.env of the newest stable Go names", async () => {
    await using place = await openPlace();
    await using server = await openModuleServer(
      await makePage(place.dir, "# comment\nGOPROXY=https://proxy.example.test,direct\nGOSUMDB=x\n"),
    );
    expect(await asked(place, server.url)).toBe("https://proxy.example.test,direct");
    expect(await asked(place, server.url, "linux/arm64")).toBeUndefined();
  });

  it("an archive that has not the page's sha256 is an alarm", async () => {
    await using place = await openPlace();
    const page = await makePage(place.dir, "GOPROXY=https://proxy.example.test\n");
    const name = "/dl/go1.30.1.linux-amd64.tar.gz";
    const bytes = Buffer.from(page[name] ?? []);
    bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40);
    await using server = await openModuleServer({ ...page, [name]: bytes });
    await expect(asked(place, server.url)).rejects.toMatchObject({ kind: "alarm", code: "DIGEST_MISMATCH" });
  });

  it("a page that is not there is said", async () => {
    await using place = await openPlace();
    await using server = await openModuleServer({});
    await expect(asked(place, server.url)).rejects.toThrow("answered 404");
  });
});

describe("the module proxies", () => {
  const never = () => Promise.reject(new Error("was asked"));

  it("are those of GOPROXY, and nobody else is asked, not even when it says off", async () => {
    expect(await proxiesFrom({ GOPROXY: "https://a.test/,https://b.test|direct" }, never)).toEqual([
      "https://a.test",
      "https://b.test",
    ]);
    expect(await proxiesFrom({ GOPROXY: "off" }, never)).toEqual([]);
  });

  it("are else those of the first that knows any", async () => {
    const nothing = async () => undefined;
    const go = async () => "https://go.test,direct";
    expect(await proxiesFrom({}, go, never)).toEqual(["https://go.test"]);
    expect(await proxiesFrom({ GOPROXY: "" }, nothing, go)).toEqual(["https://go.test"]);
    expect(await proxiesFrom({}, nothing)).toEqual([]);
  });
});
