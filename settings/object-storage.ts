import { z } from "zod";
import { projectFile } from "./paths.ts";
import { bucketName, endpoint, secretText } from "./repository.ts";
import { flag } from "./values.ts";

/** The keys by which an S3-compatible storage is reached. */
export const objectStorageShape = {
  endpoint: endpoint(),
  bucket: bucketName(),
  region: z.string().default("us-east-1"),
  path: z.string().startsWith("/", { error: "a path such as /pgstack" }).default("/pgstack"),
  key: secretText(),
  secret: secretText(),
  pathStyle: flag().default(true),
  authorityFile: projectFile().optional(),
};

/** What is right in the place of such a map. */
export const OBJECT_STORAGE_EXAMPLE =
  'a map such as {"endpoint": "s3.example.com", "bucket": "backups", "key": …, "secret": …}';
