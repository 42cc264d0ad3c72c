import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { TARGET_CODENAME } from "../engine/debian-host.mjs";
import { downloadPackages, preparePrivateApt, unpackPackages } from "../engine/private-apt.mjs";
import { runProgram } from "../engine/run-program.mjs";
import { cached } from "./cached.mjs";
import { hashInputs } from "./hashes.mjs";

/**
 * The packages of the base, installed with what they depend on. The libraries
 * are those of pgBackRest; psql's pager and the init scripts need the rest.
 */
const PACKAGES = [
  "ca-certificates",
  "gosu",
  "openssl",
  "xz-utils",
  "zstd",
  "libbz2-1.0",
  "liblz4-1",
  "libpq5",
  "libssh2-1t64",
  "libstdc++6",
  "libxml2",
  "libzstd1",
];

/**
 * Only unpacked: pgBackRest's dependencies bring the whole of Perl for cluster
 * scripts that this image has no use for, `locales` the sources of every locale.
 */
const UNPACKED_PACKAGES = ["pgbackrest", "locales"];

/** Documentation, but not the licences. */
const LEFT_OUT = [
  "/usr/share/man/*",
  "/usr/share/info/*",
  "/usr/share/locale/*",
  "/usr/share/lintian/*",
  "/usr/share/bug/*",
  "/usr/share/doc/*",
];

/**
 * @typedef {object} BaseOptions
 * @property {string} cacheDirectory
 * @property {import("../engine/debian-host.mjs").DebianHost} host
 * @property {Promise<import("./build-tools.mjs").BuildTools>} buildTools
 * @property {number} newestFileTime in seconds since 1970; newer files are given this time, so that each run makes the same layer
 * @property {(line: string) => void} log
 */

/**
 * The layer that all images share: a small Debian with the user postgres,
 * gosu, openssl, pgBackRest and the locale en_US.utf8.
 *
 * @param {BaseOptions} options
 * @returns {Promise<string>} the layer as a tar file
 */
export async function buildDebianBase({ cacheDirectory, host, buildTools, newestFileTime, log }) {
  const inputs = { TARGET_CODENAME, architecture: host.architecture, newestFileTime };
  const key = (await hashInputs(inputs, [new URL(import.meta.url)])).slice(0, 16);
  return cached(join(cacheDirectory, "image", `debian-${key}.tar`), async (unfinished, work) => {
    const apt = await preparePrivateApt({ cacheDirectory, host, codename: TARGET_CODENAME, log });
    log(`assembling a small Debian ${TARGET_CODENAME}`);
    const extras = join(work, "extras");
    const temporary = join(work, "temporary");
    const [{ mmdebstrap }] = await Promise.all([
      buildTools,
      mkdir(temporary),
      downloadPackages(apt, UNPACKED_PACKAGES, join(work, "packages")).then((files) =>
        unpackPackages(files, extras),
      ),
    ]);
    const aptSettings = join(work, "apt-settings");
    await writeFile(aptSettings, `${apt.networkSettings}APT::Sandbox::User "root";\n`);
    const customize = join(work, "customize");
    await writeFile(customize, customizeScript(extras, host.architecture));
    await chmod(customize, 0o755);
    await runProgram(
      "perl",
      [
        mmdebstrap,
        "--mode=root",
        "--variant=essential",
        // The socket's folder is there. Without it in the image, runc gives the file system in memory that is mounted
        // there another mode at every start after the first.
        "--skip=cleanup/run",
        "--quiet",
        "--format=tar",
        `--architectures=${host.architecture}`,
        `--include=${PACKAGES.join(",")}`,
        `--aptopt=${aptSettings}`,
        ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        // The folder is thrown away where the machine stops meanwhile.
        "--dpkgopt=force-unsafe-io",
        `--customize-hook=${customize}`,
        TARGET_CODENAME,
        unfinished,
        "-",
      ],
      {
        input: apt.sources,
        // It starts helpers that lie beside it.
        env: {
          ...process.env,
          PATH: `${dirname(mmdebstrap)}:${process.env.PATH}`,
          TMPDIR: temporary,
          SOURCE_DATE_EPOCH: String(newestFileTime),
        },
        purpose: "assembling a small Debian",
      },
    );
  });
}

/**
 * A script that mmdebstrap runs when all packages are installed, with the
 * folder of the new system as its argument.
 *
 * @param {string} extras where UNPACKED_PACKAGES were unpacked to
 * @param {string} architecture
 * @returns {string}
 */
function customizeScript(extras, architecture) {
  const libraries = architecture === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  return `#!/bin/sh
set -eu
root=$1

# The user id that the alpine variant of the official image has.
echo 'postgres:x:70:' >>"$root/etc/group"
echo 'postgres:x:70:70:PostgreSQL:/var/lib/postgresql:/bin/bash' >>"$root/etc/passwd"
echo 'postgres:*:20000:0:99999:7:::' >>"$root/etc/shadow"
echo 'postgres:*::' >>"$root/etc/gshadow"
chroot "$root" install --directory --owner=postgres --group=postgres --mode=0755 /var/lib/postgresql
find "$root/run" -mindepth 1 -delete
chroot "$root" install --directory --owner=postgres --group=postgres --mode=3777 /run/postgresql

# Its locale is as the official image's: en_US.utf8.
cp -R "${extras}/usr/share/i18n" "$root/usr/share/"
chroot "$root" localedef --inputfile=en_US --force --charmap=UTF-8 en_US.UTF-8
rm -r "$root/usr/share/i18n"

install -m 755 "${extras}/usr/bin/pgbackrest" "$root/usr/bin/"
install -D -m 644 "${extras}/usr/share/doc/pgbackrest/copyright" "$root/usr/share/doc/pgbackrest/copyright"

# The machine's mirrors and proxies are nobody else's business; mmdebstrap removes the file of its own.
find "$root/etc/apt" -type f ! -name 00mmdebstrap -delete
rm -rf "$root"/var/log/* "$root"/var/cache/debconf/* "$root"/var/cache/ldconfig "$root"/var/lib/dpkg/*-old "$root"/etc/*-
# Character sets of conversions that nothing here asks for: PostgreSQL has its own.
find "$root/usr/lib/${libraries}/gconv" -name '*.so' ! -name 'UTF-*' ! -name 'ISO8859-*' ! -name 'UNICODE.so' -delete
chroot "$root" iconvconfig
mkdir -p "$root/docker-entrypoint-initdb.d"
# A new volume takes over its folder's owner.
for folder in /backups /scratch /etc/pgbackrest /var/lib/pgbackrest /var/log/pgbackrest /var/spool/pgbackrest; do
  chroot "$root" install --directory --owner=postgres --group=postgres --mode=0750 "$folder"
done
`;
}
