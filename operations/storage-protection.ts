import { notProtected } from "../agent/storage/look.ts";
import type { Protection, ProtectionState } from "../agent/storage/protection.ts";
import { callAgent } from "./agent.ts";
import type { Target } from "./target.ts";

export type { ProtectionState } from "../agent/storage/protection.ts";
export { notProtected };

/** Has the agent look how the bucket of a stack protects its backups; undefined: the settings ask for nothing. */
export async function readProtection(target: Target): Promise<ProtectionState | undefined> {
  return (await callAgent<ProtectionState | null>(target, "storage-protection")) ?? undefined;
}

/** The bucket and what the repository's names begin with. */
type Place = Pick<ProtectionState, "bucket" | "prefix">;

/**
 * The least that the stack's key needs, and so the most that it should have.
 * Actions: https://docs.aws.amazon.com/AmazonS3/latest/userguide/list_amazons3.html
 */
export function keyPolicy({ bucket, prefix }: Place, mode: Protection["mode"]): object {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Action: [
          ...["s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketVersioning"],
          ...(mode === "locked" ? ["s3:GetBucketObjectLockConfiguration"] : []),
        ],
        Resource: `arn:aws:s3:::${bucket}`,
      },
      {
        Effect: "Allow",
        Action: [
          ...["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObject"],
          ...["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
        ],
        Resource: `arn:aws:s3:::${bucket}/${prefix}*`,
      },
    ],
  };
}

/** What removes versions after their days. Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html */
export function lifecycleRule({ prefix }: Place, days: number): object {
  return {
    Rules: [
      {
        ID: "pgstack-versions",
        Status: "Enabled",
        Filter: { Prefix: prefix },
        NoncurrentVersionExpiration: { NoncurrentDays: days },
        Expiration: { ExpiredObjectDeleteMarker: true },
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
      },
    ],
  };
}
