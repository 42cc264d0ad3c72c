import * as z from "zod";
import { setting } from "../documentation.ts";
import { imageReference } from "../names.ts";
import { MAJOR_VERSIONS, type MajorVersion } from "../parameter-catalogue.ts";
import type { PromotionSettings } from "../settings.ts";
import { flag, mapOf, moment, oneOf, value } from "../values.ts";

const PROMOTION = 'a map such as {"from": "staging", "commit": "1a2b3c", "at": "2026-03-01T12:00:00Z"}';
const LABEL = /^[a-z0-9]([a-z0-9]|[._/-](?=[a-z0-9])){0,127}$/;
/** https://docs.docker.com/engine/manage-resources/labels/#key-format-recommendations */
const KEPT_LABELS = ["com.docker.", "io.docker.", "org.dockerproject."];

/** What the stack is for and what may be done to it. */
export const stackKeys = {
  environment: setting(
    oneOf("development", "test", "staging", "production").default("development"),
    "What the stack is for. Defaults and refusals grow stricter from left to right: staging and production never run without TLS, production keeps its volumes and refuses to be destroyed. Settings that risk data are for test only.",
    { group: "Stack", fallback: "development", example: "production", common: true },
  ),
  image: setting(
    imageReference().default("postgres:16-alpine"),
    "Image of the server, with a tag or a digest; resolved to a digest when the stack is deployed.",
    {
      group: "Stack",
      fallback: "postgres:16-alpine",
      example: "postgres:16.14-alpine",
      caution:
        "A change makes the container anew: connections end. Another major version cannot read the data.",
      variable: "PGSTACK_IMAGE",
      common: true,
    },
  ),
  majorVersion: setting(
    value<MajorVersion>((given) => {
      const found = MAJOR_VERSIONS.find((one) => String(one) === String(given));
      return found === undefined ? { right: `one of ${MAJOR_VERSIONS.join(", ")}` } : { fit: found };
    }).default(16),
    "Major version of PostgreSQL that the data is of. The image must be of the same.",
    {
      group: "Stack",
      fallback: "16",
      example: "18",
      caution: "The data of a stack stays of its version: `pgstack upgrade` brings it into a new stack.",
    },
  ),
  promotion: setting(
    z
      .strictObject({ from: z.string(), commit: z.string(), at: z.string() }, { error: PROMOTION })
      .transform((given): PromotionSettings => given)
      .optional(),
    "What was promoted to the stack last: from which stack, at which commit, when. `pgstack promote` writes it.",
    {
      group: "Stack",
      fallback: "none",
      example: '{from: staging, commit: 1a2b3c, at: "2026-03-01T12:00:00Z"}',
      structured: true,
    },
  ),
  allowDestroy: setting(
    flag().optional(),
    "Whether `pulumi destroy` may take the stack down. Production never has it: see allowDestroyUntil.",
    {
      group: "Stack",
      fallback: "false in production, else true",
      example: "false",
      caution: "With true, a destroy removes the data volume unless protectVolumes is true.",
    },
  ),
  allowDestroyUntil: setting(
    moment().optional(),
    "Until when `pulumi destroy` may take a production stack down, at most a day from now: a permission for one time. An `up` brings it into force.",
    { group: "Stack", fallback: "none", example: '"2026-03-01T18:00:00Z"' },
  ),
  protectVolumes: setting(
    flag().optional(),
    "Whether the volumes are kept by Pulumi when everything else goes. Production keeps them always.",
    {
      group: "Stack",
      fallback: "true in production, else false",
      example: "true",
      caution: "With false, the data goes with the stack.",
    },
  ),
  adoptDataVolume: setting(
    flag().default(false),
    "Take over a data volume that this stack did not make. It is never removed then, whatever fails.",
    { group: "Stack", fallback: "false", example: "true" },
  ),
  labels: setting(
    mapOf<string>('{"team": "billing"}', (name, given) => {
      if (!LABEL.test(name)) {
        return { wrong: "is not a label's name: small letters, digits, dots, dashes, slashes, underscores" };
      }
      if (name.startsWith("pgstack.")) return { wrong: "is for the stack to set; remove it" };
      if (KEPT_LABELS.some((kept) => name.startsWith(kept))) {
        return { wrong: "is for Docker to set; remove it" };
      }
      if (typeof given === "number" || typeof given === "boolean") return { fit: String(given) };
      return typeof given === "string" ? { fit: given } : { right: "a text" };
    }).default({}),
    "More Docker labels for the container, the volumes and the network.",
    {
      group: "Stack",
      fallback: "none",
      example: '{team: billing, "com.example.cost-centre": "42"}',
      caution:
        "A change makes the container anew: connections end. Networks and volumes keep the labels that they were made with, since Docker cannot change them.",
      structured: true,
    },
  ),
};
