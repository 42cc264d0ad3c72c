import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestProject } from "./project.ts";

const STACK_TYPE = "pulumi:pulumi:Stack";

/** A resource of a made-up state: its types from the outermost on, and its name. */
export type MadeUp = readonly [types: string, name: string];

/** The server's container as a stack's state has it. */
export const SERVER_RESOURCE: MadeUp = ["pgstack:index:Server$docker:index/container:Container", "server"];

/** Gives a test's stack a state without bringing anything up: these outputs, and resources with nothing in them. */
export async function importState(
  project: TestProject,
  outputs: Readonly<Record<string, unknown>>,
  resources: readonly MadeUp[] = [SERVER_RESOURCE],
): Promise<void> {
  const exported = await project.pulumi(["stack", "export", "--stack", project.stack]);
  if (exported.code !== 0) throw new Error(exported.output);
  const state = JSON.parse(exported.stdout) as { deployment: Record<string, unknown> };
  const urn = (types: string, name: string) => `urn:pulumi:${project.stack}::pgstack::${types}::${name}`;
  state.deployment["resources"] = [
    { urn: urn(STACK_TYPE, `pgstack-${project.stack}`), custom: false, type: STACK_TYPE, outputs },
    ...resources.map(([types, name]) => {
      const type = types.split("$").at(-1) ?? types;
      const custom = !type.startsWith("pgstack:");
      return { urn: urn(`${STACK_TYPE}$${types}`, name), custom, type, ...(custom ? { id: name } : {}) };
    }),
  ];
  const file = join(project.directory, "imported.json");
  await writeFile(file, JSON.stringify(state));
  const imported = await project.pulumi(["stack", "import", "--file", file, "--stack", project.stack]);
  if (imported.code !== 0) throw new Error(imported.output);
}
