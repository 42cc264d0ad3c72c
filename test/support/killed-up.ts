import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { dockerEngine } from "../../operations/docker.ts";
import { LABEL_HELPER } from "../../operations/volume/helper.ts";
import type { TestProject } from "./project.ts";

/** When to kill a run. */
export interface KillPoint {
  /** Text of the run's output. */
  readonly text: string;
  /** Milliseconds after the text. Default: 0. */
  readonly after?: number;
}

/** Runs `pulumi up` and ends it with SIGKILL as soon as it has printed a text; true when it did not end before. */
export async function killedUp(project: TestProject, point: KillPoint): Promise<boolean> {
  const { code } = await project.up([], {
    onStart: (child) => {
      let output = "";
      let met = false;
      child.stdout?.on("data", (piece: Buffer) => {
        output += piece;
        if (met || !output.includes(point.text)) return;
        met = true;
        void delay(point.after ?? 0).then(() => child.kill("SIGKILL"));
      });
    },
  });
  return code === -1;
}

/** Expects the run after a killed one to finish, with exactly what a stack has and nothing more to be changed. */
export async function expectFinished(project: TestProject): Promise<void> {
  await project.releaseDeadLocks();
  const up = await project.up();
  expect(up.code, up.output).toBe(0);
  await expectWhole(project);
  expect(await attributeFiles(project)).toEqual([]);
  const preview = await project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
  expect(preview.code, preview.output).toBe(0);
}

/** Expects exactly the container, volumes and network of a small stack, and no helper container on its volumes. */
export async function expectWhole(project: TestProject): Promise<void> {
  const name = project.container;
  expect(await project.things()).toEqual({
    containers: [name],
    volumes: [`${name}-configuration`, `${name}-data`],
    networks: [name],
  });
  const helpers = await dockerEngine().listContainers({ all: true, filters: { label: [LABEL_HELPER] } });
  expect(helpers.filter(({ Mounts }) => Mounts.some((mount) => mount.Name?.startsWith(`${name}-`)))).toEqual(
    [],
  );
}

/** What the state's backend writes in place, and a kill can so leave torn: there must be none. */
async function attributeFiles(project: TestProject): Promise<string[]> {
  const names = await readdir(join(project.directory, ".pgstack", "state"), { recursive: true });
  return names.filter((name) => name.endsWith(".attrs"));
}
