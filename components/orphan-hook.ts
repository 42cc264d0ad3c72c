import * as pulumi from "@pulumi/pulumi";
import { removeOrphanContainer } from "../operations/orphan-container.ts";
import { clearly } from "../providers/clear-error.ts";

/** Before a container is made, one that a killed run left under its name is removed. */
export function orphanHook(
  name: string,
  options: { readonly stack: string; readonly container: string; readonly graceSeconds: number },
): pulumi.ResourceHook {
  return new pulumi.ResourceHook(`${name}-remove-orphan`, () => clearly(removeOrphanContainer(options)));
}
