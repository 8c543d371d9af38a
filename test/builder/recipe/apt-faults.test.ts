import { expect, it } from "vitest";
import { installFault, updateFault } from "../../../builder/recipe/apt-faults.ts";

const place = { mirror: "http://me:secret@mirror.test/debian", suite: "trixie" };

it.each([
  [
    "alarm SUITE_FORGED",
    "W: GPG error: http://mirror.test/debian trixie InRelease: The following signatures were invalid: BADSIG 6B2C\nE: The repository 'http://mirror.test/debian trixie InRelease' is not signed.",
  ],
  [
    "alarm SUITE_FORGED",
    "Sub-process /usr/bin/sqv returned an error code (1), error message is: Verifying signature: Message has been manipulated\nE: The repository 'http://mirror.test/debian trixie InRelease' is not signed.",
  ],
  ["alarm INDEX_MISMATCH", "E: Failed to fetch http://mirror.test/Packages.xz  Hash Sum mismatch"],
  [
    "alarm INDEX_MISMATCH",
    "E: Failed to fetch http://mirror.test/Packages.xz  File has unexpected size (7 != 8). Mirror sync in progress? [IP: 192.0.2.1 80]",
  ],
  [
    "world SUITE_NOT_TRUSTED",
    "W: GPG error: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 44D4\nE: The repository 'http://mirror.test/debian trixie InRelease' is not signed.",
  ],
  [
    "world SUITE_NOT_TRUSTED",
    "Sub-process /usr/bin/sqv returned an error code (1), error message is: Missing key 4CB5, which is needed to verify signature.\nE: The repository is not signed.",
  ],
  [
    "world GPGV_MISSING",
    "W: GPG error: gpgv, gpgv2 or gpgv1 required for verification, but neither seems installed\nE: The repository 'http://mirror.test/debian trixie InRelease' is not signed.",
  ],
  [
    "world SUITE_EXPIRED",
    "E: Release file for http://mirror.test/debian/dists/trixie/InRelease is expired (invalid since 1d). Updates for this repository will not be applied.",
  ],
  [
    "world SUITE_EXPIRED",
    "E: Release file for http://mirror.test/debian/dists/trixie/InRelease is not valid yet (invalid for another 3h). Updates for this repository will not be applied.",
  ],
  ["world NETWORK", "E: Failed to fetch http://mirror.test/InRelease  Temporary failure resolving 'mirror.test'"],
  [
    "world NETWORK",
    "E: Failed to fetch http://mirror.test/InRelease  Could not connect to mirror.test:80 (192.0.2.1). - connect (111: Connection refused)",
  ],
  [
    "caller SUITE_UNKNOWN",
    "E: The repository 'http://mirror.test/debian trixie Release' does not have a Release file.",
  ],
  ["world APT_FAILED", "E: something that nobody has seen"],
])("apt's word for a suite it could not read is a %s", (expected, text) => {
  const { kind, code, message, hint } = updateFault({ ...place, text });
  expect(`${kind} ${code}`).toBe(expected);
  expect(`${message} ${hint ?? ""}`).not.toContain("secret");
});

it("names what cannot be installed", () => {
  expect(installFault({ ...place, text: "E: Unable to locate package gcd" })).toMatchObject({
    code: "PACKAGE_UNKNOWN",
    message: expect.stringContaining("package gcd in trixie of http://mirror.test/debian"),
  });
  expect(installFault({ ...place, text: "E: Package 'libc-dev' has no installation candidate" }).message).toContain(
    "package libc-dev",
  );
  const unmet = `The following packages have unmet dependencies:
 broken : Depends: not-there but it is not installable
E: Unable to correct problems, you have held broken packages.`;
  expect(installFault({ ...place, text: unmet })).toMatchObject({
    code: "PACKAGES_UNMET",
    message: expect.stringContaining("broken : Depends: not-there"),
  });
  expect(installFault({ ...place, text: "E: http://me:secret@mirror.test is odd" })).toMatchObject({
    kind: "world",
    code: "APT_FAILED",
    message: expect.not.stringContaining("secret"),
  });
});
