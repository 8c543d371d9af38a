import { TwinsealError } from "../errors.ts";
import { publicUrl } from "../http.ts";

/** What apt printed in the C locale before it ended with an error. It only words our error: that apt failed is its exit code. */
export type AptFailure = { readonly mirror: string; readonly suite: string; readonly text: string };

/** Why a suite's lists could not be had. Pure. */
export function updateFault({ mirror, suite, text }: AptFailure): TwinsealError {
  const where = `${suite} of ${publicUrl(mirror)}`;
  if (/BADSIG|manipulated|Clearsigned file isn't valid|Invalid signature/i.test(text)) {
    return new TwinsealError("alarm", "SUITE_FORGED", `the signature of ${where} does not fit what it signs`, {
      hint: "nothing was locked; find out what stands between you and Debian, or use another mirror",
    });
  }
  if (/Hash Sum mismatch|unexpected size/i.test(text)) {
    return new TwinsealError(
      "alarm",
      "INDEX_MISMATCH",
      `the package index of ${where} is not the one that was signed`,
      {
        hint: "nothing was locked; a mirror in the middle of its own update does this too: try again in an hour, or another mirror",
      },
    );
  }
  if (/required for verification|could ?n[o']t execute/i.test(text)) {
    return new TwinsealError("world", "GPGV_MISSING", `apt cannot check the signature of ${where}: ${lastLine(text)}`, {
      hint: "install the package gpgv",
    });
  }
  if (/NO_PUBKEY|EXPKEYSIG|REVKEYSIG|Missing key|is not signed/i.test(text)) {
    return new TwinsealError("world", "SUITE_NOT_TRUSTED", `${where} is not signed by a key of the keyring`, {
      hint: "is it Debian's archive? update the package debian-archive-keyring, or name another file in TWINSEAL_DEBIAN_KEYRING",
    });
  }
  if (/is expired|not valid yet|not yet valid/i.test(text)) {
    return new TwinsealError("world", "SUITE_EXPIRED", `what ${where} signed is not of this time`, {
      hint: "the mirror no longer follows Debian, or this machine's clock is wrong; for a past day use the snapshot archive",
    });
  }
  if (/resolv|connect|timed? ?out|temporary failure|unreachable/i.test(text)) {
    return new TwinsealError("world", "NETWORK", `reading ${where}: ${lastLine(text)}`, {
      hint: "check the network and TWINSEAL_DEBIAN_MIRROR",
    });
  }
  if (/does not have a Release file|404|File not found/i.test(text)) {
    return new TwinsealError("caller", "SUITE_UNKNOWN", `there is no ${where}`, {
      hint: "write a codename that the mirror has, for example trixie, or set TWINSEAL_DEBIAN_MIRROR",
    });
  }
  return aptFailed(`reading ${where}`, text);
}

/** Why the packages could not be resolved. Pure. */
export function installFault({ mirror, suite, text }: AptFailure): TwinsealError {
  const where = `${suite} of ${publicUrl(mirror)}`;
  const unknown = /Unable to locate package (\S+)|Package '?([^\s']+)'? has no installation candidate/.exec(text);
  if (unknown !== null) return packageUnknown(unknown[1] ?? unknown[2] ?? "", where);
  if (/unmet dependencies|held broken packages|Unable to correct problems/i.test(text)) {
    return new TwinsealError(
      "caller",
      "PACKAGES_UNMET",
      `these packages cannot be together in ${where}: ${detail(text)}`,
      {
        hint: "change the recipe's packages",
      },
    );
  }
  return aptFailed(`resolving packages of ${where}`, text);
}

export function packageUnknown(name: string, where: string): TwinsealError {
  return new TwinsealError("caller", "PACKAGE_UNKNOWN", `there is no package ${name} in ${where}`, {
    hint: "correct the recipe's compiler.packages; a virtual package is none, name the one that is meant",
  });
}

export function aptFailed(doing: string, text: string): TwinsealError {
  return new TwinsealError("world", "APT_FAILED", `${doing}: ${lastLine(text)}`);
}

const linesOf = (text: string) => text.split("\n").filter((line) => line.trim() !== "");

/** apt's own errors begin with `E:`; user name and password of a URL are not repeated. */
function lastLine(text: string): string {
  const lines = linesOf(text);
  const line = lines.find((one) => /^(E|Err|W):/.test(one)) ?? lines.at(-1) ?? "apt said nothing";
  return line.replace(/^(E|W): /, "").replace(/\/\/[^/\s@]*@/g, "//");
}

const detail = (text: string) =>
  linesOf(text)
    .filter((line) => /Depends|Conflicts|Breaks/.test(line))
    .map((line) => line.trim().replace(/\s+/g, " "))
    .slice(0, 5)
    .join("; ");
