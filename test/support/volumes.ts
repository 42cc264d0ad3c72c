import { randomBytes } from "node:crypto";
import { onTestFinished } from "vitest";
import { dockerEngine, isNotFound } from "../../operations/docker.ts";
import { LABEL_STACK } from "../../operations/target.ts";

/** A name that no other test has. */
export function uniqueName(kind: string): string {
  return `pgstack-test-${kind}-${randomBytes(5).toString("hex")}`;
}

/** A new volume with the stack's label (or none) and options of the local driver (or none), removed when the test is over. */
export async function temporaryVolume(
  stack?: string,
  options: Readonly<Record<string, string>> = {},
): Promise<string> {
  const name = uniqueName("volume");
  await dockerEngine().createVolume({
    Name: name,
    Labels: stack === undefined ? {} : { [LABEL_STACK]: stack },
    DriverOpts: { ...options },
  });
  onTestFinished(() => removeVolumeQuietly(name));
  return name;
}

/** Removes a volume that may be gone already. */
export async function removeVolumeQuietly(name: string): Promise<void> {
  await dockerEngine()
    .getVolume(name)
    .remove({ force: true })
    .catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
}
