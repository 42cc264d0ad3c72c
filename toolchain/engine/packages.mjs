/**
 * Go programs that run on Debian 12 too, so the newer release's are taken:
 * Debian 12's own engine is older than the project allows.
 */
export const TARGET_RELEASE_PACKAGES = ["docker.io", "containerd"];

/** Programs bound to the C library of the machine's own release. */
export const HOST_RELEASE_PACKAGES = [
  "runc",
  "tini",
  "iptables",
  "libip4tc2",
  "libip6tc2",
  "libxtables12",
  "libmnl0",
  "libnetfilter-conntrack3",
  "libnfnetlink0",
  "libnftnl11",
  "libseccomp2",
];

/** Where each program of the engine lies in the packages, and its name in the installation's `bin`. */
export const PROGRAMS = /** @type {const} */ ([
  ["usr/sbin/dockerd", "dockerd"],
  ["usr/sbin/docker-proxy", "docker-proxy"],
  ["usr/bin/containerd", "containerd"],
  ["usr/bin/containerd-shim-runc-v2", "containerd-shim-runc-v2"],
  ["usr/sbin/runc", "runc"],
  ["usr/bin/tini-static", "docker-init"],
  ["usr/sbin/xtables-nft-multi", "xtables-nft-multi"],
  ["usr/sbin/xtables-legacy-multi", "xtables-legacy-multi"],
]);
