import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAptSources } from "../../../builder/inputs/apt-sources.ts";
import { debianKeyring, debianMirrors, packageUrl, snapshotMirror } from "../../../builder/inputs/debian-mirrors.ts";
import { openPlace } from "../../support/place.ts";

const deb822 = `# a comment
Types: deb deb-src
URIs: http://one.test/debian/
 https://two.test/debian
# a comment in the middle
Suites: trixie trixie-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 URIs: http://not-a-field.test/
 -----END PGP PUBLIC KEY BLOCK-----

Enabled: no
Types: deb
URIs: http://off.test/debian
Suites: trixie
Components: main

Types: deb-src
URIs: http://source.test/debian
Suites: trixie
Components: main

types: deb
uris: file:/srv/debian mirror+file:/etc/apt/mirrors.txt cdrom:[Debian]/
suites: ./
`;

const list = `# deb http://comment.test/debian trixie main
deb http://one.test/debian trixie main contrib # and a remark
deb [ arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ] https://two.test/debian trixie main
deb-src http://source.test/debian trixie main
deb cdrom:[Debian GNU/Linux]/ trixie main
deb http://flat.test/ ./
\tdeb\thttp://tabs.test/debian\ttrixie\tmain
nonsense
`;

describe("apt's sources", () => {
  it("are read in the style of stanzas", () => {
    expect(parseAptSources("debian.sources", deb822)).toEqual([
      { uri: "http://one.test/debian/", suites: ["trixie", "trixie-updates"], components: ["main"] },
      { uri: "https://two.test/debian", suites: ["trixie", "trixie-updates"], components: ["main"] },
      { uri: "file:/srv/debian", suites: ["./"], components: [] },
    ]);
  });

  it("are read in the style of one line each", () => {
    expect(parseAptSources("sources.list", list).map(({ uri, components }) => [uri, components])).toEqual([
      ["http://one.test/debian", ["main", "contrib"]],
      ["https://two.test/debian", ["main"]],
      ["http://flat.test/", []],
      ["http://tabs.test/debian", ["main"]],
    ]);
  });
});

describe("Debian's mirrors", () => {
  it("are those of apt's own files, each once, where nothing else is said", async () => {
    await using place = await openPlace();
    await mkdir(join(place.dir, "sources.list.d"));
    await writeFile(join(place.dir, "sources.list"), list);
    await writeFile(join(place.dir, "sources.list.d", "a.sources"), deb822);
    await writeFile(join(place.dir, "sources.list.d", "b.list.save"), "deb http://old.test/debian trixie main\n");
    await writeFile(join(place.dir, "sources.list.d", "c.list"), "deb http://docker.test/linux trixie stable\n");
    const all = ["http://one.test/debian", "https://two.test/debian", "http://tabs.test/debian"];
    expect(await debianMirrors({}, place.dir)).toEqual(all);
    expect(await debianMirrors({ TWINSEAL_DEBIAN_MIRROR: " " }, place.dir)).toEqual(all);
    expect(await debianMirrors({}, join(place.dir, "nothing"))).toEqual([]);
  });

  it("are what the user says, separated by spaces or commas", async () => {
    const TWINSEAL_DEBIAN_MIRROR = "https://a.test/debian/, file:///srv/debian  https://a.test/debian";
    expect(await debianMirrors({ TWINSEAL_DEBIAN_MIRROR }, "/nowhere")).toEqual([
      "https://a.test/debian",
      "file:///srv/debian",
    ]);
    await expect(debianMirrors({ TWINSEAL_DEBIAN_MIRROR: "https://a.test mirror.test" })).rejects.toMatchObject({
      kind: "caller",
      code: "MIRROR_INVALID",
    });
  });

  it("have a package at its pool's path", () => {
    expect(packageUrl("http://a.test/debian", "pool/main/g/gcc/libstdc++6_1~2_amd64.deb")).toBe(
      "http://a.test/debian/pool/main/g/gcc/libstdc%2B%2B6_1~2_amd64.deb",
    );
  });

  it("are succeeded by the snapshot of a time at which the release was surely copied", () => {
    expect(snapshotMirror(Date.parse("2025-08-09T20:30:40Z") / 1000)).toBe(
      "https://snapshot.debian.org/archive/debian/20250810T083040Z",
    );
  });

  it("need a keyring, which can be named", async () => {
    await using place = await openPlace();
    const [own, none] = [join(place.dir, "own.gpg"), join(place.dir, "none.gpg")];
    await writeFile(own, "");
    expect(await debianKeyring({}, [none, own])).toBe(own);
    expect(await debianKeyring({ TWINSEAL_DEBIAN_KEYRING: own }, [])).toBe(own);
    await expect(debianKeyring({ TWINSEAL_DEBIAN_KEYRING: none }, [own])).rejects.toMatchObject({
      kind: "world",
      code: "KEYRING_MISSING",
      message: expect.stringContaining("none.gpg"),
    });
    await expect(debianKeyring({}, [none])).rejects.toMatchObject({
      hint: expect.stringContaining("debian-archive-keyring"),
    });
  });
});
