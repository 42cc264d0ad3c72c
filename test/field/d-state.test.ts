import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { outputs } from "../support/fake-pulumi.ts";
import { importState, type MadeUp, SERVER_RESOURCE } from "../support/imported-state.ts";
import { type Ended, TestProject } from "../support/project.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const NETWORK: MadeUp = ["pgstack:index:IsolatedNetwork$docker:index/network:Network", "network"];

interface Saved {
  readonly id: string;
  readonly resources: number;
  readonly server: boolean;
  readonly savedBy: string;
}

let project: TestProject;

beforeAll(async () => {
  project = await TestProject.create();
});

afterAll(() => project?.remove());

function succeeded(ended: Ended): Ended {
  expect(ended.code, ended.output).toBe(0);
  return ended;
}

async function saved(): Promise<Saved[]> {
  const { stdout } = succeeded(await project.pgstack(["state", "list", "--json"]));
  return (JSON.parse(stdout) as { saved: Saved[] }).saved;
}

async function present(): Promise<number> {
  const { stdout } = succeeded(await project.pulumi(["stack", "export", "--stack", project.stack]));
  const { deployment } = JSON.parse(stdout) as { deployment: { resources: unknown[] } };
  return deployment.resources.length - 1;
}

async function save(resources: readonly MadeUp[]): Promise<void> {
  await importState(project, { ...outputs() }, resources);
  succeeded(await project.pgstack(["state", "save"]));
}

describe("a state that lost its server (D7)", () => {
  test("the newest saved one that knows the server is offered, however many came after it", async () => {
    await save([NETWORK, SERVER_RESOURCE]);
    await save([NETWORK]);
    await save([]);
    await save([NETWORK, ["pgstack:index:DataVolume", "volume"]]);
    const restored = succeeded(await project.pgstack(["state", "restore", "--yes"]));
    expect(restored.stderr).toMatch(/present state: knows nothing of the server, saved as/);
    expect(restored.stderr).toMatch(/brought back: {2}\S+, 2 resources\n/);
    expect(await present()).toBe(2);
  });

  test("the list tells what each holds, whether it knows the server, and which command saved it", async () => {
    const all = await saved();
    expect(all.slice(0, 4).map(({ resources, server }) => [resources, server])).toEqual([
      ...[
        [2, true],
        [1, false],
        [0, false],
        [2, false],
      ],
    ]);
    expect(all[0]?.savedBy).toBe("pgstack state save");
    const { stdout } = succeeded(await project.pgstack(["state", "list"]));
    expect(stdout).toMatch(/ 2 resources +knows the server +pgstack state save\n/);
    expect(stdout).toMatch(/ 1 resource +without the server +pgstack state save\n/);
  });

  test("a small one is brought back by its id alone, and said to be without the server", async () => {
    const small = (await saved()).find(({ server }) => !server)?.id ?? "";
    const restored = succeeded(await project.pgstack(["state", "restore", small, "--yes"]));
    expect(restored.stderr).toMatch(/brought back: {2}\S+, 1 resource, WITHOUT the server\n/);
  });
});

describe("an encrypted staging stack", () => {
  const settings = {
    ...{ environment: "staging", backup: true, backupEncryption: true },
    ...{ stopGraceSeconds: 120, ballastMegabytes: 0 },
  };
  let stack: LiveStack;

  beforeAll(async () => {
    stack = await LiveStack.bringUp(settings);
  });

  afterAll(() => stack?.project.remove());

  async function key(): Promise<string> {
    return succeeded(await stack.project.pgstack(["backups", "--show-key"])).stdout.trim();
  }

  test("does not lose the key of its backups to a change of settings (D8)", async () => {
    const before = await key();
    for (const change of [
      { backupEncryption: false },
      { backupKey: "another-key-of-some-length-0123456789" },
    ]) {
      await stack.project.configure({ ...settings, ...change });
      const refused = await stack.project.up();
      expect(refused.code).not.toBe(0);
      expect(refused.output).toMatch(/the backups of stack \S+ open with the present key alone/);
    }
    await stack.change(settings);
    expect(await key()).toBe(before);
  });

  test("that was renamed is refused in one line that says what stands and the way out (D8)", async () => {
    const { project: own } = stack;
    const other = own.sibling("r");
    const rename = (from: string, to: string) => own.pulumi(["stack", "rename", to, "--stack", from]);
    succeeded(await rename(own.stack, other.stack));
    for (const ended of [await other.up(), await other.pulumi(["preview"])]) {
      expect(ended.code).not.toBe(0);
      expect(ended.output).toContain(
        `nothing was changed: stack ${other.stack} was brought up as ${own.stack} and renamed`,
      );
      expect(ended.output).toContain(`pulumi stack rename ${own.stack} --stack ${other.stack} gives it back`);
      expect(ended.output).not.toMatch(/[+~-] (create|update|replace|delete)/);
    }
    succeeded(await rename(other.stack, own.stack));
    succeeded(await own.pulumi(["preview", "--expect-no-changes"]));
  });

  test("is destroyed as documented, and the key of the backups that it leaves is still told (D8)", async () => {
    const before = await key();
    const destroyed = await stack.project.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(destroyed.code, destroyed.output).toBe(0);
    expect(await stack.project.things()).toMatchObject({ containers: [], networks: [] });
    expect(await key()).toBe(before);
  });
});
