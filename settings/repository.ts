import { isIP } from "node:net";
import { isDomainName } from "./names.ts";
import { text } from "./values.ts";

/** Host of an S3-compatible storage, with or without a port; the scheme is always https. */
export function endpoint() {
  return text("a host such as s3.example.com or s3.example.com:9000, reached over https", (given) => {
    const [, host = "", port = "443"] = /^([^:/]+)(?::(\d{1,5}))?$/.exec(given) ?? [];
    return (isDomainName(host) || isIP(host) === 4) && Number(port) >= 1 && Number(port) <= 65535;
  });
}

/** Name of a bucket: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
export function bucketName() {
  return text("a bucket's name: 3 to 63 lower-case letters, digits, dots and dashes", (given) =>
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(given),
  );
}

/** One part of an access key: a line of visible characters. */
export function secretText() {
  return text("a text of visible characters", (given) => /^[\x21-\x7e]{1,1024}$/.test(given));
}

/** A table with its schema, as SQL names it in lower case. */
export function tableName() {
  return text("a table with its schema, such as public.orders", (given) =>
    /^[a-z_][a-z0-9_$]{0,62}\.[a-z_][a-z0-9_$]{0,62}$/.test(given),
  );
}
