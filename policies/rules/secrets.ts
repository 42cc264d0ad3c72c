import { posix } from "node:path";
import { LABEL_STACK } from "../../operations/target.ts";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { CONTAINER, dynamic, labelsOf, RANDOM_PASSWORD, type Rule, VOLUME } from "../rule.ts";

const LEAST_LENGTH = 24;
/** Properties that hold secrets, by type: the state must have each of them encrypted. */
const SECRET_PROPERTIES: ReadonlyMap<string, readonly string[]> = new Map([
  [dynamic("Role"), ["password"]],
  [dynamic("HealthCheck"), ["passwords"]],
  [dynamic("SchemaVersion"), ["password"]],
  [dynamic("BackupConfiguration"), ["pgbackrest", "repositories", "key"]],
  [dynamic("ServerConfiguration"), ["tls"]],
  [dynamic("Certificate"), ["authorityKey", "key"]],
  [dynamic("SeededCluster"), ["pgbackrest"]],
  [RANDOM_PASSWORD, ["result", "bcryptHash"]],
]);
const FORGOTTEN = /^\/(tmp|dev\/shm|run|var\/run)(\/|$)/;

/** What is secret, what is recorded, and whose things are whose. */
export const secretRules: readonly Rule[] = [
  {
    name: "secrets-encrypted-in-state",
    reason: "The state is copied to places where nobody watches over it.",
    remedy: "name the property in additionalSecretOutputs of the resource",
    types: [...SECRET_PROPERTIES.keys()],
    check: ({ type, opts }) => {
      const plain = (SECRET_PROPERTIES.get(type) ?? []).find(
        (name) => !opts.additionalSecretOutputs.includes(name),
      );
      return plain === undefined ? undefined : `${plain} would be plain in the state`;
    },
  },
  {
    name: "password-length",
    reason: "A short password can be tried out.",
    remedy: `set pgstack:passwordLength to ${LEAST_LENGTH} or more`,
    types: [RANDOM_PASSWORD],
    check: ({ props }) =>
      Number(props["length"]) >= LEAST_LENGTH ? undefined : `a password of ${props["length"]} characters`,
  },
  {
    name: "records-kept",
    reason: "Audit and health records that go with the next start tell nothing afterwards.",
    remedy: "set pgstack:logsDirectory to a folder on a disk",
    types: [],
    check: ({ props }) => {
      const { logsDirectory } = props;
      if (typeof logsDirectory !== "string") return undefined;
      // A path that leaves the project may end anywhere.
      const place = logsDirectory.startsWith("..")
        ? posix.resolve(PROJECT_DIRECTORY, logsDirectory)
        : posix.normalize(logsDirectory).replace(/^\/+/, "/");
      return FORGOTTEN.test(place) ? `records go to ${logsDirectory}` : undefined;
    },
  },
  {
    name: "labelled",
    reason: "What bears no label of its stack is nobody's: it is not found, and not cleaned up.",
    remedy: "give it the labels pgstack.stack and pgstack.project",
    types: [CONTAINER, VOLUME, dynamic("Network")],
    check: (resource, { stack }) => {
      const label = labelsOf(resource).get(LABEL_STACK);
      return label === stack ? undefined : `its label ${LABEL_STACK} is ${label ?? "missing"}`;
    },
  },
];
