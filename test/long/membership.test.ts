import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Manual } from "../support/manual.ts";
import { OpenFgaServer } from "../support/openfga/server.ts";
import type { RunOptions } from "../support/project.ts";
import { LiveStack } from "../support/security/live-stack.ts";

let stack: LiveStack;
let openfga: OpenFgaServer;
/** The one owner of tenant-1, and a member of it. */
let owner: { id: string; subject: string };
let member: { id: string; subject: string };
let tenantId: string;

beforeAll(async () => {
  [stack, openfga] = await Promise.all([
    LiveStack.bringUp({ memoryLimit: "1GB", dataInMemory: "256MB", testSnapshot: "standard" }),
    OpenFgaServer.start(),
  ]);
  tenantId = (await stack.value("(SELECT id FROM public.tenants WHERE slug = 'tenant-1')")) ?? "";
  owner = await userWith("owner");
  member = await userWith("member");
}, 900_000);

afterAll(async () => {
  await openfga?.stop();
  await stack?.project.remove();
});

/** Both are as they were, here and there. */
beforeEach(async () => {
  const administrator = await stack.session("administrator");
  await administrator.query("DROP SCHEMA IF EXISTS pgstack_memberships CASCADE");
  await administrator.query("DELETE FROM memberships WHERE tenant_id = $1 AND user_id IN ($2, $3)", [
    ...[tenantId, owner.id, member.id],
  ]);
  await administrator.query(
    "INSERT INTO memberships (tenant_id, user_id, role) VALUES ($1, $2, 'owner'), ($1, $3, 'member')",
    [tenantId, owner.id, member.id],
  );
  await administrator.end();
  for (const { id } of [owner, member]) {
    const deletes = (await openfga.relations(id, tenantId)).map((relation) => tuple(id, relation));
    if (deletes.length > 0) await openfga.client.write({ deletes });
  }
  await openfga.client.write({ writes: [tuple(owner.id, "owner"), tuple(member.id, "member")] });
});

afterEach(() => {
  openfga.setShut(false);
  openfga.onRequest(undefined);
});

async function userWith(role: string): Promise<{ id: string; subject: string }> {
  const text = await stack.value(
    `(SELECT json_build_object('id', u.id, 'subject', u.subject) FROM public.users u JOIN public.memberships m ON m.user_id = u.id
       WHERE m.tenant_id = '${tenantId}' AND m.role = '${role}' ORDER BY u.id LIMIT 1)`,
  );
  return JSON.parse(text ?? "");
}

function tuple(userId: string, relation: string) {
  return { user: `user:${userId}`, relation, object: `tenant:${tenantId}` };
}

function run(words: readonly string[], options: RunOptions = {}) {
  return stack.project.pgstack(["membership", ...words], { ...options, environment: openfga.environment });
}

function rollback(who: { subject: string }, role: string, ...more: string[]) {
  return ["rollback", "--tenant-ref", "tenant-1", "--user-ref", who.subject, "--target-role", role, ...more];
}

async function done(words: readonly string[]): Promise<string> {
  const ended = await run(words);
  expect(ended.code, ended.output).toBe(0);
  return ended.stdout;
}

async function refused(words: readonly string[], code = 1): Promise<string> {
  const ended = await run(words);
  expect(ended.code, ended.output).toBe(code);
  return ended.stderr.trim().split("\n").at(-1) ?? "";
}

function roleOf({ id }: { id: string }): Promise<string | null> {
  return stack.value(
    `(SELECT role FROM public.memberships WHERE tenant_id = '${tenantId}' AND user_id = '${id}')`,
  );
}

function waiting(): Promise<string | null> {
  return stack.value("(SELECT count(*) FROM pgstack_memberships.outbox)");
}

describe("M4 membership rollback in the database", () => {
  test("M4 each role, by slug or id and by subject or id; none ends it; the same again changes nothing", async () => {
    expect(await done(rollback(member, "admin"))).toBe(
      `${member.subject} in tenant tenant-1: member becomes admin.\n`,
    );
    expect(await roleOf(member)).toBe("admin");
    expect(await done(rollback(member, "admin"))).toBe(
      `${member.subject} in tenant tenant-1 is admin already.\n`,
    );
    const byId = [
      "rollback",
      "--tenant-ref",
      tenantId.toUpperCase(),
      "--user-ref",
      member.id,
      "--target-role",
    ];
    await done([...byId, "none"]);
    expect(await roleOf(member)).toBeNull();
    await done([...byId, "none"]);
    await done([...byId, "owner"]);
    expect(await roleOf(member)).toBe("owner");
    const json = await run([...byId, "member", "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      from: "owner",
      to: "member",
      tenant: { slug: "tenant-1" },
    });
    const audit = await stack.project.pgstack(["audit", "--json"]);
    expect(audit.stdout).toMatch(/"operation": ?"membership.rollback"/);
  });

  test("M4 a dry run tells what would change, here and at OpenFGA, and changes nothing", async () => {
    expect(await done(rollback(member, "admin", "--dry-run", "--sync-openfga"))).toBe(
      `Nothing is changed by a dry run. ${member.subject} in tenant tenant-1: member becomes admin.\nOpenFGA: member goes, admin comes\n`,
    );
    expect(await roleOf(member)).toBe("member");
    expect(await openfga.relations(member.id, tenantId)).toEqual(["member"]);
  });

  test("M4 the last owner stays, unless told by force; one of two may go, and two at once do not both", async () => {
    for (const role of ["none", "member"]) {
      expect(await refused(rollback(owner, role))).toBe(
        `pgstack: nothing was changed: ${owner.subject} is the last owner of tenant tenant-1; make another one first (--target-role owner), or leave it without by --force`,
      );
    }
    await done(rollback(member, "owner"));
    const both = await Promise.all([run(rollback(owner, "none")), run(rollback(member, "none"))]);
    expect(both.map(({ code }) => code).sort()).toEqual([0, 1]);
    expect(
      await stack.value(
        `(SELECT count(*) FROM public.memberships WHERE tenant_id = '${tenantId}' AND role = 'owner')`,
      ),
    ).toBe("1");
    const last = (await roleOf(owner)) === "owner" ? owner : member;
    await done(rollback(last, "none", "--force"));
    expect(await roleOf(last)).toBeNull();
  });

  test("M4 what is wrong is refused with one line that names it", async () => {
    expect(
      await refused([
        "rollback",
        "--tenant-ref",
        "nobody",
        "--user-ref",
        member.subject,
        "--target-role",
        "none",
      ]),
    ).toBe('pgstack: --tenant-ref "nobody": no tenant has this slug or id');
    expect(
      await refused([
        "rollback",
        "--tenant-ref",
        "tenant-1",
        "--user-ref",
        "x' OR 1=1",
        "--target-role",
        "none",
      ]),
    ).toBe(`pgstack: --user-ref "x' OR 1=1": no user has this external subject or id`);
    expect(await refused(rollback(member, "king"), 2)).toMatch(/owner, admin, member, none/);
    expect(await refused(["rollback", "--user-ref", "x", "--target-role", "none"], 2)).toMatch(
      /--tenant-ref/,
    );
    const bare = await stack.project.pgstack(["membership", ...rollback(member, "none", "--sync-openfga")]);
    expect([bare.code, bare.stderr]).toEqual([
      2,
      expect.stringContaining("--openfga-url and --openfga-store"),
    ]);
    expect(await roleOf(member)).toBe("member");
  });
});

describe("M4 with OpenFGA", () => {
  test("M4 the tuples follow: one role each, none for nobody; wrong ones are mended, checks see it", async () => {
    expect(await done(rollback(member, "admin", "--sync-openfga"))).toContain("member goes, admin comes");
    expect(await openfga.relations(member.id, tenantId)).toEqual(["admin"]);
    expect((await openfga.client.check(tuple(member.id, "member"))).allowed).toBe(true);
    await openfga.client.write({ writes: [tuple(member.id, "owner")] });
    expect(await done(rollback(member, "admin", "--sync-openfga"))).toContain("owner goes");
    expect(await done(rollback(member, "admin", "--sync-openfga"))).toContain("in line already");
    await done(rollback(member, "none", "--sync-openfga"));
    expect(await openfga.relations(member.id, tenantId)).toEqual([]);
    expect((await openfga.client.check(tuple(member.id, "member"))).allowed).toBe(false);
    expect(await waiting()).toBe("0");
  });

  test("F38 away between the two: the database's change stands, is noted, and the same again mends it", async () => {
    openfga.setShut(true);
    expect(await refused(rollback(member, "admin", "--sync-openfga"))).toMatch(
      /^pgstack: the change in the database stands, and OpenFGA does not know of it yet: OpenFGA at http:.*\. It is noted: the same command again, or pgstack membership sync, tells it$/,
    );
    expect(await roleOf(member)).toBe("admin");
    expect(await waiting()).toBe("1");
    openfga.setShut(false);
    expect(await done(rollback(member, "admin", "--sync-openfga"))).toContain("member goes, admin comes");
    expect(await openfga.relations(member.id, tenantId)).toEqual(["admin"]);
    expect(await waiting()).toBe("0");
  });

  test("F38 away, then changed again: what is told is what the database has by then; another's run tells it too", async () => {
    openfga.setShut(true);
    await refused(rollback(member, "admin", "--sync-openfga"));
    openfga.setShut(false);
    await done(rollback(member, "none"));
    await done(rollback(owner, "owner", "--sync-openfga"));
    expect(await openfga.relations(member.id, tenantId)).toEqual([]);
    expect(await openfga.relations(owner.id, tenantId)).toEqual(["owner"]);
    expect(await done(["sync"])).toBe("Nothing was left to tell.\n");
  });

  test("F38 away between reading and writing: nothing is half told, and sync tells it", async () => {
    openfga.onRequest((text) => {
      if (text.includes("/write ")) openfga.setShut(true);
    });
    await refused(rollback(member, "owner", "--sync-openfga"));
    openfga.onRequest(undefined);
    openfga.setShut(false);
    expect(await openfga.relations(member.id, tenantId)).toEqual(["member"]);
    expect(await done(["sync"])).toContain("member goes, owner comes");
    expect(await openfga.relations(member.id, tenantId)).toEqual(["owner"]);
  });

  test("F38 killed after the database's change: it is noted in the same transaction, and sync tells it", async () => {
    let reads = 0;
    const killed = run(rollback(member, "admin", "--sync-openfga"), {
      onStart: (child) =>
        openfga.onRequest(() => {
          reads += 1;
          child.kill("SIGKILL");
        }),
    });
    expect((await killed).code).toBe(-1);
    openfga.onRequest(undefined);
    expect(reads).toBeGreaterThan(0);
    expect(await roleOf(member)).toBe("admin");
    expect(await done(["sync"])).toContain("member goes, admin comes");
    expect(await openfga.relations(member.id, tenantId)).toEqual(["admin"]);
  });

  test("M4 a wrong token and an unknown store are told in the server's words; the token is nowhere", async () => {
    const wrong = await stack.project.pgstack(
      ["membership", ...rollback(member, "admin", "--sync-openfga")],
      {
        environment: { ...openfga.environment, FGA_API_TOKEN: "wrong-token-7" },
      },
    );
    expect(wrong.code).toBe(1);
    expect(wrong.output).not.toContain("wrong-token-7");
    expect(wrong.stderr.trim().split("\n").at(-1)).toMatch(
      /OpenFGA does not know of it yet: OpenFGA at http:/,
    );
    await done(["sync"]);
    const audit = await stack.project.pgstack(["audit", "--json"]);
    expect(audit.stdout).not.toContain(openfga.token);
  });
});

describe("M4 docs/testing.md", () => {
  test("M4 each command as it is written", async () => {
    const lines = (await Manual.read("testing.md")).commands("Memberships");
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
      expect(words.slice(0, 4)).toEqual(["./pgstack", "--stack", "ci", "membership"]);
      expect(await done(words.slice(4)), line).not.toBe("");
    }
  });
});
