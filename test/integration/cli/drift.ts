import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { dockerEngine, findContainer } from "../../../operations/docker.ts";
import { runAsSuperuser } from "../../../operations/superuser.ts";
import { writeVolumeFiles } from "../../../operations/volume-files.ts";
import { TEST_IMAGE } from "../../support/image.ts";
import type { LiveStack } from "../../support/security/live-stack.ts";
import { uniqueName } from "../../support/volumes.ts";

const docker = dockerEngine();
const MEGABYTE = 1024 ** 2;

let stack: LiveStack;

function drift(...words: string[]) {
  return stack.project.pgstack(["drift", ...words]);
}

async function expectNone(): Promise<void> {
  const ended = await drift();
  expect([ended.code, ended.stdout], ended.output).toEqual([
    0,
    "No drift: the live world is what the stack says.\n",
  ]);
}

/**
 * What a hand has changed in a stack that is up.
 *
 * @param live The stack; its init SQL has made the table `public.rows`.
 * @param settings What it was brought up with.
 */
export function driftByCommand(live: () => LiveStack, settings: Readonly<Record<string, unknown>>): void {
  describe("F13 pgstack drift", () => {
    beforeAll(() => {
      stack = live();
    });

    test("F13 what Docker, SQL and a file were changed to by hand is told, and brought back", async () => {
      await expectNone();
      await runAsSuperuser(
        stack.target,
        `GRANT pg_read_all_data TO readonly; ALTER SYSTEM SET work_mem = '9MB'; SELECT pg_reload_conf();`,
      );
      await stack.write("CREATE TABLE public.t (n int)");
      await runAsSuperuser(stack.target, "DROP EXTENSION pgcrypto;", { database: "app" });
      const memory = 400 * MEGABYTE;
      await docker.getContainer(stack.target.container).update({ Memory: memory, MemorySwap: memory });
      await writeVolumeFiles(docker, {
        ...{
          volume: `${stack.target.container}-configuration`,
          image: TEST_IMAGE,
          directory: "",
          labels: {},
        },
        files: [
          { path: "pg_hba.conf", content: "local all all peer\nhost all all all trust\n", mode: 0o600 },
        ],
      });

      const refused = await drift("--fix");
      expect([refused.code, refused.stderr]).toEqual([
        2,
        expect.stringContaining("not a terminal: pass --yes to fix it"),
      ]);
      for (const line of [
        /update +server +docker:index\/container:Container +memory/,
        /work_mem was set by ALTER SYSTEM/,
        /pg_hba\.conf was changed/,
        /role "readonly": take away membership in "pg_read_all_data"/,
        /create extension pgcrypto/,
      ]) {
        expect(refused.stdout).toMatch(line);
      }
      const json = await drift("--json");
      expect(json.code).toBe(4);
      expect(JSON.parse(json.stdout)).toMatchObject({
        pending: [],
        details: expect.arrayContaining(["pg_hba.conf was changed"]),
      });

      const fixed = await drift("--fix", "--yes");
      expect(fixed.code, fixed.output).toBe(0);
      await expectNone();
      expect(await stack.value("current_setting('work_mem')")).toBe("4MB");
      expect((await findContainer(docker, stack.target.container))?.HostConfig.Memory).toBe(512 * MEGABYTE);
      await expect(stack.session("readonly", { password: "wrong" })).rejects.toThrow(/password/);
    });

    test("a server that was put into another network and taken off its own is drift; what is foreign is told and left alone [B6]", async () => {
      const elsewhere = uniqueName("elsewhere");
      await docker.createNetwork({ Name: elsewhere });
      onTestFinished(() => docker.getNetwork(elsewhere).remove());
      const { container } = stack.target;
      const own = stack.outputs.deployed.networkName;
      await docker.getNetwork(elsewhere).connect({ Container: container });
      await docker.getNetwork(own).disconnect({ Container: container, Force: true });
      await runAsSuperuser(
        stack.target,
        `CREATE ROLE "intruder\u001b[2J" SUPERUSER LOGIN; CREATE ROLE reporting LOGIN`,
      );

      const told = await drift();
      expect(told.code, told.output).toBe(4);
      expect(told.stdout).toContain(`container ${container} is not in its network ${own}`);
      expect(told.stdout).toContain(
        `container ${container} is in network ${elsewhere}, which is not its own`,
      );
      expect(told.stdout).toMatch(
        /! {2}role +intruder\\x1b\[2J +LOGIN, SUPERUSER\n +role +reporting +LOGIN\n/,
      );

      // The foreign superuser is still there, and cron is still told.
      const fixed = await drift("--fix", "--yes");
      expect(fixed.code, fixed.output).toBe(4);
      const networks = (await findContainer(docker, container))?.NetworkSettings.Networks ?? {};
      expect(Object.keys(networks)).toEqual([own]);
      await (await stack.session("readonly")).end();
      await runAsSuperuser(stack.target, `DROP ROLE "intruder\u001b[2J"`);
      const harmless = await drift();
      expect(harmless.code, harmless.output).toBe(0);
      expect(harmless.stdout).toMatch(/^No drift.*reporting/s);
      await runAsSuperuser(stack.target, "DROP ROLE reporting");
      await expectNone();
    });

    test("F13 F08 a change of the config is no drift, and told beside it; a container that is gone is, and comes back on the same volume", async () => {
      await stack.write("INSERT INTO public.rows VALUES (1)");
      const before = await findContainer(docker, stack.target.container);
      await stack.project.configure({
        ...settings,
        serverSettings: { work_mem: undefined, log_min_duration_statement: "1s" },
      });
      const pending = await drift();
      expect(pending.code, pending.output).toBe(0);
      expect(pending.stdout).toMatch(/No drift.*Not applied yet.*update +server-configuration/s);
      await docker.getContainer(stack.target.container).remove({ force: true });
      const gone = await drift();
      expect(gone.code, gone.output).toBe(4);
      expect(gone.stdout).toMatch(/create +server +docker:index\/container:Container/);
      const fixed = await drift("--fix", "--yes");
      expect(fixed.code, fixed.output).toBe(0);
      await expectNone();
      expect((await findContainer(docker, stack.target.container))?.Id).not.toBe(before?.Id);
      // Nothing is lost, and the init SQL, which would fail by now, has not run again.
      expect(await stack.value("(SELECT string_agg(n::text, ',') FROM public.rows)")).toBe("1");
    });
  });
}
