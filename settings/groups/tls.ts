import { z } from "zod";
import { setting } from "../documentation.ts";
import { domainName, hostName } from "../names.ts";
import { directory } from "../paths.ts";
import { listOf, oneOf, wholeNumber } from "../values.ts";

const EXAMPLE =
  '{"mode": "files", "certificatesDirectory": "/etc/letsencrypt/live", "domain": "db.example.com"}';

/** Encryption of connections. */
export const tlsKeys = {
  tls: setting(
    z
      .strictObject(
        {
          mode: oneOf("generated", "files", "off").default("generated"),
          certificatesDirectory: directory().optional(),
          domain: domainName().optional(),
          validityDays: wholeNumber(1, 825, "days").optional(),
          renewBeforeDays: wholeNumber(1, 824, "days").optional(),
          names: listOf(hostName(), '["db.example.com", "10.1.2.3"]').optional(),
        },
        { error: `a map such as ${EXAMPLE}` },
      )
      .prefault({}),
    "How connections are encrypted. `mode: generated`: the stack makes its own authority and a certificate (`validityDays` 365, new ones `renewBeforeDays` 30, `domain` and `names` for more DNS names and IP addresses). `mode: files`: `fullchain.pem` and `privkey.pem` from `{certificatesDirectory}/{domain}`. `mode: off`: plain TCP, for development and test only.",
    {
      group: "TLS",
      fallback: "{mode: generated}",
      example: "{mode: files, certificatesDirectory: /etc/letsencrypt/live, domain: db.example.com}",
      caution:
        "Another mode or domain changes what clients must trust. Certificates are taken up by a reload.",
      structured: true,
      common: true,
    },
  ),
};
