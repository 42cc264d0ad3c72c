import { UserError } from "../user-error.mjs";

/**
 * One major version of PostgreSQL, as the packages carry it.
 *
 * @typedef {object} PostgresVersion
 * @property {string} major
 * @property {string} version
 * @property {string} wheelFolder the folder of its client programs in the Python package
 * @property {string} dataDirectory the default of PGDATA, as in the official image
 * @property {string} volume what the official image declares as its volume
 */

/** @type {Record<string, PostgresVersion>} */
const VERSIONS = {
  16: {
    major: "16",
    version: "16.14",
    wheelFolder: "pginstall",
    dataDirectory: "/var/lib/postgresql/data",
    volume: "/var/lib/postgresql/data",
  },
  18: {
    major: "18",
    version: "18.4",
    wheelFolder: "pginstall18",
    dataDirectory: "/var/lib/postgresql/18/docker",
    volume: "/var/lib/postgresql",
  },
};

/**
 * @param {string | number} major
 * @returns {PostgresVersion}
 */
export function postgresVersion(major) {
  const found = VERSIONS[String(major)];
  if (found === undefined) {
    throw new UserError(`no image of PostgreSQL ${major}: there is ${Object.keys(VERSIONS).join(" and ")}`);
  }
  return found;
}

/**
 * The image's own name: it is not the official one and never named so.
 *
 * @param {PostgresVersion} version
 * @returns {string}
 */
export function postgresReference({ version }) {
  return `pgstack.local/postgres:${version}`;
}
