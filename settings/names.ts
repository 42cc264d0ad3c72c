import { isIP } from "node:net";
import { text, value } from "./values.ts";

/** PostgreSQL cuts names at 63 bytes (NAMEDATALEN), and two names could then be one. */
const NAME = /^[a-z_][a-z0-9_]{0,62}$/;
const NAME_RIGHT =
  "a name of at most 63 lower-case letters, digits and underscores that does not start with a digit";

/** Words that stand for something else in SQL's GRANT or in pg_hba.conf. */
const RESERVED_ROLES = new Set([
  "public",
  "none",
  "all",
  "user",
  "current_user",
  "current_role",
  "session_user",
]);
const RESERVED_DATABASES = new Set(["postgres", "all", "sameuser", "samerole", "samegroup", "replication"]);
/** Names of what the stack makes for itself, and removes. */
const STACKS_OWN = {
  right: "another name: the stack makes and removes objects of its own under names that start so",
};
const OWN_DATABASES = /^pgstack_(template|spare|building|old|test)_/;
const OWN_ROLES = /^pgstack_test_/;
const OWN_SCHEMAS = new Set(["pgstack", "pgstack_test"]);

/** A login role: not the superuser's and not one of PostgreSQL's own names. */
export function roleName() {
  return value((given) => {
    if (typeof given !== "string" || !NAME.test(given)) return { right: NAME_RIGHT };
    if (given === "postgres") return { right: "another name: postgres is the server's superuser" };
    if (given.startsWith("pg_")) return { right: "another name: PostgreSQL keeps names that start with pg_" };
    if (OWN_ROLES.test(given)) return STACKS_OWN;
    if (RESERVED_ROLES.has(given)) return { right: "another name: PostgreSQL keeps this word for itself" };
    return { fit: given };
  });
}

/** The application's database: not one of those that every server has. */
export function databaseName() {
  return value((given) => {
    if (typeof given !== "string" || !NAME.test(given)) return { right: NAME_RIGHT };
    if (/^template\d*$/.test(given) || RESERVED_DATABASES.has(given)) {
      return { right: "another name: PostgreSQL keeps this one for itself" };
    }
    return OWN_DATABASES.test(given) ? STACKS_OWN : { fit: given };
  });
}

/** A schema beside `public`. */
export function schemaName() {
  return value((given) => {
    if (typeof given !== "string" || !NAME.test(given)) return { right: NAME_RIGHT };
    if (given.startsWith("pg_") || given === "information_schema") {
      return { right: "another name: PostgreSQL keeps this one for itself" };
    }
    if (OWN_SCHEMAS.has(given)) return STACKS_OWN;
    if (given === "public") return { right: "another name: the schema public is always there" };
    return { fit: given };
  });
}

/** An extension as CREATE EXTENSION names it. */
export function extensionName() {
  return text("the name of an extension such as hstore or uuid-ossp", (given) =>
    /^[a-z][a-z0-9_-]{0,62}$/.test(given),
  );
}

/** A container, volume or network of Docker; 63 at most because a container's name is also its name in DNS. */
export function dockerName(refused: readonly string[] = []) {
  return value((given) => {
    if (typeof given !== "string" || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,62}$/.test(given)) {
      return {
        right:
          "a name of 2 to 63 letters, digits, dots, dashes and underscores that starts with a letter or digit",
      };
    }
    return refused.includes(given)
      ? { right: "another name: Docker keeps this one for itself" }
      : { fit: given };
  });
}

const IMAGE =
  /^([a-z0-9]+([.-][a-z0-9]+)*(:\d{1,5})?\/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/;

/** A reference of an image that says which PostgreSQL it is: with a tag or a digest, and not `latest`. */
export function imageReference() {
  const right = "an image with a tag or a digest, such as postgres:16-alpine";
  return value((given) => {
    if (typeof given !== "string" || given.length > 512 || !IMAGE.test(given)) return { right };
    const named = /:[^/:@]+$/.test(given.replace(/@sha256:.*$/, "")) || given.includes("@sha256:");
    if (!named) return { right };
    if (/:latest$/.test(given)) {
      return { right: `${right}: latest becomes another major version one day, which cannot read the data` };
    }
    return { fit: given };
  });
}

const LABEL = /^[a-z0-9]([a-z0-9]|[.-](?=[a-z0-9]))*$/;

/** A domain name, also one with a wildcard where `wildcard` allows it. */
export function isDomainName(given: string): boolean {
  return (
    given.length <= 253 &&
    given.split(".").every((part) => part.length <= 63 && LABEL.test(part) && !part.includes(".")) &&
    isIP(given) === 0
  );
}

/** A domain that is also the name of a folder: nothing that leads elsewhere. */
export function domainName() {
  return text("a domain name in lower case such as db.example.com", isDomainName);
}

/** What a certificate may be for: a domain name, `*.` and a domain name, or an IP address. */
export function hostName() {
  return text("a domain name in lower case or an IP address", (given) =>
    isIP(given) !== 0 ? !given.includes("%") : isDomainName(given.replace(/^\*\./, "")),
  );
}
