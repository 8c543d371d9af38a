/** What came of trying to enter the namespaces. */
export type PreflightResult = { readonly code: number | null; readonly stderr: string };

/** Kernel settings that decide over user namespaces, as read; a refusal names the one that explains it. */
export type KernelSettings = {
  readonly apparmorRestricts: boolean;
  readonly maxUserNamespaces: number | undefined;
  readonly cloneForbidden: boolean;
};

export type RefusalCause =
  | "apparmor"
  | "uid-map"
  | "max-user-namespaces"
  | "clone-forbidden"
  | "unsupported"
  | "proc-masked"
  | "forbidden"
  | "unknown";

export type Refusal = { readonly cause: RefusalCause; readonly reason: string; readonly fix: string };

const sudoWay = "or allow sudo without a password, which twinseal then uses by itself";

/**
 * Names why the kernel refused, from unshare's words and the settings; undefined when it did not. Unknown words are a
 * refusal, never a pass.
 */
export function judgeUserNamespaces(result: PreflightResult, settings: KernelSettings): Refusal | undefined {
  if (result.code === 0) return undefined;
  const said = result.stderr.trim() || `exit code ${result.code}`;
  if (/uid_map/.test(said)) return settings.apparmorRestricts ? apparmor(said) : uidMap(said);
  if (settings.maxUserNamespaces === 0 || /No space left on device/.test(said)) return maxUserNamespaces(said);
  if (/Function not implemented|Invalid argument/.test(said)) {
    return {
      cause: "unsupported",
      reason: `the kernel has no user namespaces (${said})`,
      fix: "use a kernel built with CONFIG_USER_NS",
    };
  }
  if (settings.cloneForbidden) {
    return {
      cause: "clone-forbidden",
      reason: `kernel.unprivileged_userns_clone is 0 (${said})`,
      fix: `sudo sysctl -w kernel.unprivileged_userns_clone=1, ${sudoWay}`,
    };
  }
  if (settings.apparmorRestricts && /Operation not permitted|Permission denied/.test(said)) return apparmor(said);
  if (/mount .*proc/.test(said)) {
    return {
      cause: "proc-masked",
      reason: `a container hides parts of /proc, so no new one can be mounted (${said})`,
      fix: "start the container with --security-opt systempaths=unconfined, or run on the machine itself",
    };
  }
  if (/Operation not permitted|Permission denied/.test(said)) {
    return {
      cause: "forbidden",
      reason: `a container's seccomp profile or a security module forbids unshare (${said})`,
      fix: "in docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined; or run on the machine itself",
    };
  }
  return { cause: "unknown", reason: said, fix: `see user_namespaces(7), ${sudoWay}` };
}

function apparmor(said: string): Refusal {
  return {
    cause: "apparmor",
    reason: `AppArmor keeps user namespaces without any right: kernel.apparmor_restrict_unprivileged_userns is 1 (${said})`,
    fix: `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, ${sudoWay}`,
  };
}

function uidMap(said: string): Refusal {
  return {
    cause: "uid-map",
    reason: `the kernel refuses to map the user (${said})`,
    fix: `give this process its rights back: inside a container or service, CAP_SETFCAP and CAP_SETUID for root, ${sudoWay}`,
  };
}

function maxUserNamespaces(said: string): Refusal {
  return {
    cause: "max-user-namespaces",
    reason: `no user namespace may be made: user.max_user_namespaces is reached or 0 (${said})`,
    fix: `sudo sysctl -w user.max_user_namespaces=15000, ${sudoWay}`,
  };
}
