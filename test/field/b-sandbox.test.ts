import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { DrillResult } from "../../agent/drill.ts";
import type { BackupEntry } from "../../agent/entry.ts";
import type { VerifyResult } from "../../agent/verify.ts";
import { agentContainer, callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { sandboxContainer } from "../../operations/sandbox.ts";
import { runAsSuperuser } from "../../operations/superuser.ts";
import { untilFirstBackup } from "../support/first-backup.ts";
import { LiveStack } from "../support/security/live-stack.ts";

let stack: LiveStack;
let key: string;

beforeAll(async () => {
  stack = await LiveStack.bringUp({ backup: true, backupEncryption: true });
  await untilFirstBackup(stack.target);
  key = (await stack.project.pgstack(["backups", "--show-key"])).stdout.trim();
  await runAsSuperuser(
    stack.target,
    "CREATE TABLE public.bait (n int); INSERT INTO public.bait VALUES (1);",
    { database: "app" },
  );
});
afterAll(() => stack?.project.remove());

const sandbox = () => sandboxContainer(stack.target.container);

async function inside(container: string, script: string, input = ""): Promise<string> {
  const command = ["sh", "-c", script];
  const { exitCode, stdout, stderr } = await executeInContainer(
    { ...stack.target, container },
    { command, input },
  );
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
  return stdout;
}

/** The command lines of all processes, also where the image has no ps. */
const COMMANDS = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '";

/** Has a program run with the superuser's rights wherever somebody plans a query or makes an extension, as a superuser that was taken over can. */
async function plant(script: string): Promise<void> {
  const program = script.replaceAll("'", "''");
  await runAsSuperuser(
    stack.target,
    `CREATE FUNCTION public.run() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $run$
     BEGIN
       IF current_setting('unix_socket_directories') NOT LIKE '/var/run/%' THEN COPY (SELECT 1) TO PROGRAM '${program}'; END IF;
       RETURN 1;
     END $run$;
     CREATE FUNCTION public.planted() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $planted$ BEGIN RETURN public.run(); END $planted$;
     CREATE INDEX bait_n ON public.bait ((n + public.planted()));
     CREATE FUNCTION public.triggered() RETURNS event_trigger LANGUAGE plpgsql AS $run$ BEGIN PERFORM public.run(); END $run$;
     CREATE EVENT TRIGGER planted ON ddl_command_end WHEN TAG IN ('CREATE EXTENSION') EXECUTE FUNCTION public.triggered();
     ALTER EVENT TRIGGER planted ENABLE ALWAYS;`,
    { database: "app" },
  );
}

async function drill(): Promise<DrillResult> {
  return callAgent<DrillResult>(stack.target, "drill", { waitSeconds: 120 });
}

/** A drill whose container is killed while what was restored is checked. */
async function drillKilling(name: string): Promise<DrillResult> {
  let killed: Promise<unknown> | undefined;
  const onStep = (text: string) => {
    if (text.startsWith("checking")) killed ??= dockerEngine().getContainer(name).kill();
  };
  try {
    return await callAgent<DrillResult>(stack.target, "drill", { waitSeconds: 120 }, { onStep });
  } finally {
    expect(killed).toBeDefined();
    await killed;
  }
}

async function backupFiles(): Promise<string[]> {
  const found = await inside(agentContainer(stack.target.container), "find /backups -type f -size +0");
  return found.split("\n").filter((name) => /\/(backup|archive|logical)\//.test(name));
}

describe("programs that a backup's own cluster runs while it is proven [S10]", () => {
  afterEach(async () => {
    await runAsSuperuser(
      stack.target,
      "DROP EVENT TRIGGER planted; DROP INDEX public.bait_n; DROP FUNCTION public.triggered, public.planted, public.run;",
      {
        database: "app",
      },
    );
    await inside(sandbox(), "rm -f /tmp/found");
  });

  // Before: they ran in the agent's container, with the backups to write to, their keys and the live server's socket.
  test("reach no backup, no key, no network and no server but their own", async () => {
    await plant(
      `{ id -un; hostname; ls /backups /etc/pgstack; find / -name backup.key -o -name pgbackrest.conf; ls /var/run/postgresql;
         rm -rf /backups/*; ls /sys/class/net; psql -h /var/run/postgresql -U postgres -c 'CREATE ROLE intruder SUPERUSER';
         touch /scratch/planted /scratch/private/planted /scratch/sessions/planted; } >> /tmp/found 2>&1; true`,
    );
    await callAgent(stack.target, "archive-now");
    const before = await backupFiles();
    expect(await drill()).toMatchObject({ result: "ok" });
    const found = await inside(sandbox(), "cat /tmp/found");
    const { Config } = await dockerEngine().getContainer(sandbox()).inspect();
    expect(found.split("\n").slice(0, 2)).toEqual(["nobody", Config.Hostname]);
    // The image has the folder, and nothing in it.
    expect(found).not.toMatch(/^(logical|pgbackrest.*|metadata\.json)$/m);
    expect(found).toMatch(/\/etc\/pgstack'?: No such file/);
    expect(found).not.toMatch(/^\/.*(backup\.key|pgbackrest\.conf)$/m);
    expect(found.match(/Permission denied/g)?.length).toBeGreaterThanOrEqual(3);
    expect(found).toMatch(/^lo$/m);
    expect(found).not.toMatch(/^eth/m);
    expect(await stack.value("to_regrole('intruder')")).toBeNull();
    expect(await backupFiles()).toEqual(expect.arrayContaining(before));
    const left = 'grep -rlsF -D skip -- "$(cat)" /etc /tmp /run /scratch /backups; true';
    expect(await inside(sandbox(), left, key)).toBe("");
  });

  test("do not make the agent take the live server for theirs", async () => {
    // The agent signs in as the superuser, and what it does next in each database is CREATE EXTENSION amcheck.
    await plant(
      "cd $(dirname $PWD) && rm -f .s.PGSQL.5432 && ln -s /var/run/postgresql/.s.PGSQL.5432 .s.PGSQL.5432; echo linked >> /tmp/found",
    );
    await callAgent(stack.target, "archive-now");
    expect(await drill()).toMatchObject({
      result: "failed",
      message: expect.stringMatching(/requirepeer/),
    });
    expect(await inside(sandbox(), "cat /tmp/found")).toContain("linked");
    expect(await stack.value("(SELECT count(*) FROM pg_extension WHERE extname = 'amcheck')")).toBe("0");
    expect(await stack.value("(SELECT count(*) FROM pg_roles WHERE rolname LIKE 'pgstack_limited_%')")).toBe(
      "0",
    );
  });

  test("are ended with their cluster, and meet no other one", async () => {
    await plant("(setsid sleep 4321 >/dev/null 2>&1 &) ; echo begun >> /tmp/found");
    await callAgent(stack.target, "archive-now");
    await drill();
    expect(await inside(sandbox(), "cat /tmp/found")).toContain("begun");
    await expect
      .poll(() => inside(sandbox(), `${COMMANDS} | grep -c '[s]leep 4321' || true`), { timeout: 10_000 })
      .toBe("0\n");
    expect(await inside(sandbox(), "ls -A /scratch/clusters")).toBe("");
    expect(
      await inside(agentContainer(stack.target.container), "ls -A /scratch/private /scratch/sessions"),
    ).toBe("/scratch/private:\n\n/scratch/sessions:\n");
  });
});

describe("links in the data directory", () => {
  // Before: pgBackRest copied what they point to as the agent sees it, its keys too, and a restore handed that to the server.
  test("are followed by no backup, and named [B11]", async () => {
    await stack.inside('ln -s /etc/pgstack "$PGDATA/base/planted"');
    try {
      const taken = callAgent(stack.target, "backup", { kind: "full", waitSeconds: 60 });
      await expect(taken).rejects.toThrow(
        /links, which PostgreSQL makes none of.*base\/planted -> \/etc\/pgstack; no backup was taken/,
      );
    } finally {
      await stack.inside('rm "$PGDATA/base/planted"');
    }
    await callAgent<BackupEntry[]>(stack.target, "backup", { kind: "full", waitSeconds: 60 });
  });
});

describe("the agent's own keys", () => {
  // Before: a folder that changed places with a link while pgBackRest copied brought them into the backup.
  test("are in no backup that stays, however they came into the data directory [B11]", async () => {
    await inside(
      stack.target.container,
      'mkdir "$PGDATA/base/planted" && cat > "$PGDATA/base/planted/any"',
      key,
    );
    const before = await backupFiles();
    try {
      const taken = callAgent(stack.target, "backup", { kind: "full", waitSeconds: 60 });
      await expect(taken).rejects.toThrow(
        /was removed: base\/planted\/any of the data directory had the agent's own keys/,
      );
      expect((await backupFiles()).filter((name) => /planted/.test(name))).toEqual([]);
      expect(await backupFiles()).toEqual(expect.arrayContaining(before));
    } finally {
      await stack.inside('rm -r "$PGDATA/base/planted"');
    }
  });
});

describe("the sandbox", () => {
  test("may do nothing but run throw-away servers", async () => {
    const { HostConfig, Config, Mounts } = await dockerEngine().getContainer(sandbox()).inspect();
    expect(Config.User).toBe("nobody:postgres");
    expect(HostConfig).toMatchObject({
      ...{ ReadonlyRootfs: true, CapDrop: ["ALL"], NetworkMode: "none", Privileged: false },
      SecurityOpt: ["no-new-privileges:true"],
    });
    expect(Mounts.map(({ Destination }) => Destination)).toEqual(["/scratch"]);
  });

  test("that was killed is told of by health, refuses a drill in words, and is started by pgstack start", async () => {
    const container = dockerEngine().getContainer(sandbox());
    await container.kill();
    const health = await stack.project.pgstack(["health", "--full"]);
    expect(health.code).not.toBe(0);
    expect(health.output).toMatch(
      /-sandbox is exited: no drill and no verification runs; pgstack start starts it/,
    );
    expect((await stack.project.pgstack(["start"])).code).toBe(0);
    expect((await container.inspect()).State.Running).toBe(true);
    expect(await drill()).toMatchObject({ result: "ok" });
  });

  test("killed in the middle of a drill fails that drill alone: the next one finds nothing of it", async () => {
    expect(await drillKilling(sandbox())).toMatchObject({ result: "failed" });
    await dockerEngine().getContainer(sandbox()).start();
    expect(await drill()).toMatchObject({ result: "ok" });
  });

  test("is left empty by an agent that is killed in the middle of a drill", async () => {
    const agent = agentContainer(stack.target.container);
    await expect(drillKilling(agent)).rejects.toThrow();
    await expect
      .poll(
        () => inside(sandbox(), `ls -A /scratch/clusters; ${COMMANDS} | grep -c '[p]ostgres -D' || true`),
        {
          timeout: 30_000,
        },
      )
      .toBe("0\n");
    await dockerEngine().getContainer(agent).start();
    expect(await drill()).toMatchObject({ result: "ok" });
  });

  test("proves a dump as well", async () => {
    const [dump] = await callAgent<BackupEntry[]>(stack.target, "backup", {
      kind: "logical",
      waitSeconds: 60,
    });
    const [result] = await callAgent<VerifyResult[]>(stack.target, "verify", {
      ...{ id: dump?.id, deep: true, waitSeconds: 120 },
    });
    expect(result?.problems).toEqual([]);
  });
});
