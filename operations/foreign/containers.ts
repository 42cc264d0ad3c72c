import { dockerEngine } from "../docker.ts";
import type { Foreign } from "../foreign.ts";
import { LABEL_STACK, type Target } from "../target.ts";
import { LABEL_HELPER } from "../volume/helper.ts";

/** Containers that are not the stack's own and have one of its volumes mounted, running or not. */
export async function foreignContainers(target: Target, dataVolume: string): Promise<Foreign[]> {
  const docker = dockerEngine(target.dockerHost);
  const labelled = await docker.listVolumes({ filters: { label: [`${LABEL_STACK}=${target.stack}`] } });
  // One that was adopted does not bear the stack's label.
  const volumes = [
    ...new Set([...(dataVolume === "" ? [] : [dataVolume]), ...labelled.Volumes.map(({ Name }) => Name)]),
  ];
  if (volumes.length === 0) return [];
  const found = await docker.listContainers({ all: true, filters: { volume: volumes } });
  return found
    .filter(({ Labels }) => Labels[LABEL_STACK] !== target.stack && Labels[LABEL_HELPER] === undefined)
    .map(({ Names, State, Mounts }) => {
      const mounted = Mounts.flatMap(({ Name, RW }) =>
        Name !== undefined && volumes.includes(Name) ? [`${Name} (${RW ? "writable" : "read-only"})`] : [],
      );
      return {
        kind: "container" as const,
        name: Names[0]?.slice(1) ?? "",
        detail: `${State}, has ${mounted.sort().join(", ")} mounted`,
        alarming: true,
      };
    })
    .sort((left, right) => left.name.localeCompare(right.name));
}
