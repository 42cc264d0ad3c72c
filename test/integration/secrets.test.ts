import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import { LABEL_STACK } from "../../operations/target.ts";
import { ActivityWatch } from "../support/security/activity-watch.ts";
import { failedRotation } from "../support/security/failed-rotation.ts";
import { inTurn } from "../support/security/in-turn.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import {
  dockerPlaces,
  EngineWatch,
  filesBelow,
  namesIn,
  newIn,
  type Place,
} from "../support/security/places.ts";
import { ProcessWatch } from "../support/security/process-watch.ts";
import { type Secret, SecretSearch, textSecret } from "../support/security/secrets.ts";
import { keysOf, secretsOf } from "../support/security/stack-secrets.ts";
import { benchmarks, type Facts, factsOf } from "./security/benchmarks.ts";

/** Files of a project's folder that hold a secret in the clear. The passphrase is in the environment of these tests. */
const MEANT_TO_HOLD_SECRETS: readonly string[] = [];

const BACKUP = { backup: true, backupEncryption: true };

let stack: LiveStack;
let processes: ProcessWatch;
let engine: EngineWatch;
let firstUp: EngineWatch;
let facts: Facts;
const seen = {
  outputs: [] as Place[],
  engine: [] as Place[],
  activity: [] as Place[],
  temporary: [] as Place[],
  watched: { processes: [], insideContainer: Buffer.alloc(0), rounds: 0 } as Awaited<
    ReturnType<ProcessWatch["end"]>
  >,
};
let passphrase: Secret;
const secrets: Secret[] = [];

beforeAll(async () => {
  const before = await namesIn(tmpdir());
  stack = await LiveStack.bringUp(BACKUP, async (project) => {
    engine = await EngineWatch.start(project.stack);
    firstUp = await EngineWatch.start(project.stack);
    processes = new ProcessWatch(project.container);
    return {};
  });
  facts = await factsOf(stack, firstUp);
  passphrase = textSecret("the passphrase", stack.project.passphrase);
  secrets.push(...(await secretsOf(stack, "first")), ...(await keysOf(stack)));
  const { backupKey } = await stack.project.outputs<{ backupKey: string }>();
  secrets.push(textSecret("the key of the backups", backupKey));
  seen.outputs.push(["up", stack.firstUp.output]);
  for (const command of [
    ["backup", "--kind", "full"],
    ["verify", "--all", "--deep"],
    ["drill"],
    ["backups"],
  ]) {
    const { code, output } = await stack.project.pgstack(command);
    expect(code, output).toBe(0);
    seen.outputs.push([command.join(" "), output]);
  }

  const activity = await ActivityWatch.start(stack);
  await stack.project.configure({
    ...BACKUP,
    rotations: { administrator: 1, application: 1, readonly: 1 },
  });
  seen.outputs.push(["preview --diff", (await stack.project.pulumi(["preview", "--diff"])).output]);
  seen.outputs.push(["up --diff", (await stack.up(["--diff"])).output]);
  seen.activity = await activity.end();
  secrets.push(...(await secretsOf(stack, "second")));
  const again = { ...BACKUP, rotations: { administrator: 1, application: 2, readonly: 1 } };
  const failed = await failedRotation(stack, again);
  expect(failed.output).toMatch(/canceling statement due to user request/);
  seen.outputs.push(["up that fails", failed.output]);
  seen.outputs.push(["up after it", (await stack.up()).output]);
  secrets.push(textSecret("third password of application", stack.credential("application").password));

  seen.watched = await processes.end();
  seen.engine = await engine.end();
  for (const command of [
    ["stack", "output", "--json", "--stack", stack.project.stack],
    ["stack", "export", "--stack", stack.project.stack],
    ["stack", "history", "--json", "--stack", stack.project.stack],
  ]) {
    const { code, output } = await stack.project.pulumi(command);
    expect(code, output).toBe(0);
    seen.outputs.push([command.join(" "), output]);
  }
  seen.temporary = await newIn(tmpdir(), before, [basename(stack.project.directory)]);
});

afterAll(async () => {
  await inTurn(
    () => processes?.end(),
    () => engine?.end(),
    () => firstUp?.end(),
    () => stack?.project.remove(),
  );
});

benchmarks(() => facts);

/** Shows places to the search; none may hold a secret. */
function expectNothingIn(
  places: Iterable<Place>,
  wanted: readonly Secret[] = [...secrets, passphrase],
): void {
  const search = new SecretSearch(wanted);
  for (const [name, content] of places) search.look(name, content);
  expect(search.bytes).toBeGreaterThan(0);
  expect(search.found).toEqual([]);
}

test("S2 a secret that is planted in a file, a label, a process or a container is found", async () => {
  const value = "planted-Xk3vQ8mLw2Zp7Rt5";
  const planted = [textSecret("what was planted", value)];
  const folder = join(stack.project.directory, "deep", "er");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "file"), `x${Buffer.from(value).toString("base64")}`);
  const volume = `${stack.project.stack}-planted`;
  const docker = dockerEngine();
  await docker.createVolume({ Name: volume, Labels: { [LABEL_STACK]: stack.project.stack, note: value } });
  onTestFinished(async () => {
    await docker.getVolume(volume).remove();
  });
  const watch = new ProcessWatch(stack.target.container);
  const child = spawn("sleep", ["0.5"], {
    argv0: `sleep ${value}`,
    env: { PLANTED: encodeURIComponent(value) },
  });
  await executeInContainer(stack.target, { command: ["sleep", "0.5"], environment: { PLANTED: value } });
  if (child.exitCode === null) await once(child, "exit");
  const { processes: found, insideContainer } = await watch.end();
  const search = new SecretSearch(planted);
  for (const [name, content] of await filesBelow(stack.project.directory))
    search.look(`file ${name}`, content);
  for (const [name, content] of await dockerPlaces(stack.project.stack)) search.look(name, content);
  for (const { commandLine, environment, pid } of found) {
    if (pid === child.pid) search.look("command line", commandLine);
    if (pid === child.pid) search.look("environment", environment);
    else search.look("environment of another process", environment);
  }
  search.look("inside the container", insideContainer);
  expect(search.found.map((place) => place.replace(/ \(.*/, ""))).toEqual([
    "command line: what was planted",
    "environment of another process: what was planted",
    "environment: what was planted",
    "file deep/er/file: what was planted",
    "inside the container: what was planted",
    `volume ${volume}: what was planted`,
  ]);
});

test("S2 seventeen secrets are looked for, and a rotation changed those of all roles", () => {
  const ofRoles = ["first", "second"].flatMap((which) =>
    ["administrator", "application", "readonly"].flatMap((kind) => [
      `${which} password of ${kind}`,
      `${which} verifier of ${kind}`,
    ]),
  );
  const others = [
    "key of the authority",
    "key of the server's certificate",
    "the key of the backups",
    "third password of application",
  ];
  expect(secrets.map(({ name }) => name).sort()).toEqual([...ofRoles, ...others].sort());
  const forms = secrets.map((secret) => secret.forms.map(({ bytes }) => bytes.toString("hex")).join());
  expect(new Set(forms).size).toBe(secrets.length);
});

test("S2 no secret in what pulumi prints: up, up --diff, up that fails, preview, outputs, export, history", () => {
  expectNothingIn(seen.outputs);
  const text = seen.outputs.map(([, content]) => content).join("\n");
  expect(text).not.toMatch(/SCRAM-SHA-256\$/);
  expect(text).toContain("[secret]");
  expect(text).toContain('"ciphertext"');
});

test("S2 no secret in any file of the project's folder: state, its backups and history, config, logs", async () => {
  const files = await filesBelow(stack.project.directory, MEANT_TO_HOLD_SECRETS);
  const names = files.map(([name]) => name);
  for (const kind of [
    /^\.pgstack\/state\/\.pulumi\/stacks\/.*\.json$/,
    /\/backups\//,
    /\/history\//,
    /\.bak$/,
  ]) {
    expect(names.some((name) => kind.test(name))).toBe(true);
  }
  for (const log of ["audit-", "health-", "bootstrap-"]) {
    expect(names.some((name) => name.startsWith(`logs/${log}`))).toBe(true);
  }
  expectNothingIn(files);
});

test("S2 no secret in Pulumi's own folder nor in what was left in the temporary one", async () => {
  const home = process.env.PULUMI_HOME;
  if (home === undefined) throw new Error("PULUMI_HOME is not set");
  expectNothingIn([...(await filesBelow(home, ["plugins"])), ...seen.temporary, ["always", "something"]]);
});

test("S2 no secret in what Docker shows of containers, helpers, programs run in them, volumes, networks, image", async () => {
  const places = [...(await dockerPlaces(stack.project.stack)), ...seen.engine];
  const names = places.map(([name]) => name.split(" ")[0]);
  expect(new Set(names)).toEqual(
    new Set(["an", "container", "history", "image", "log", "network", "processes", "program", "volume"]),
  );
  expect(places.some(([, content]) => content.includes("pgstack-helper-"))).toBe(true);
  expectNothingIn(places);
});

test("S2 no secret in a command line or an environment while up and a rotation ran, on the host and inside", () => {
  const { processes: all, insideContainer, rounds } = seen.watched;
  expect(rounds).toBeGreaterThan(50);
  expect(all.some(({ commandLine }) => /^postgres: /.test(commandLine))).toBe(true);
  expect(
    all.some(({ ofPulumi, environment }) => ofPulumi && environment.includes(stack.project.passphrase)),
  ).toBe(true);
  expect(insideContainer.includes("PGDATA=")).toBe(true);
  expect(insideContainer.includes("psql")).toBe(true);
  expectNothingIn([["inside the container", insideContainer]]);
  expectNothingIn(
    all.map(({ commandLine }): Place => [`command line ${commandLine.slice(0, 40)}`, commandLine]),
  );
  expectNothingIn(
    all.map(
      ({ commandLine, environment }): Place => [`environment of ${commandLine.slice(0, 40)}`, environment],
    ),
    secrets,
  );
  // The passphrase is what Pulumi itself needs, and pgstack hands it on to it; nothing else has it.
  expectNothingIn(
    all
      .filter(({ ofPulumi, commandLine }) => !ofPulumi && !commandLine.includes("cli/main.ts"))
      .map(
        ({ commandLine, environment }): Place => [`environment of ${commandLine.slice(0, 40)}`, environment],
      ),
    [passphrase],
  );
});

test("S2 no secret in the server's log, its statistics, or what it shows of sessions while roles change", async () => {
  const [statements] = await queryAsSuperuser<{ all: string; count: number }>(
    stack.target,
    "SELECT coalesce(string_agg(query, E'\\n'), '') AS all, count(*) AS count FROM public.pg_stat_statements",
    { database: stack.target.database },
  );
  expect(statements?.count).toBeGreaterThan(0);
  expect(seen.activity.length).toBeGreaterThan(20);
  expect(seen.activity.some(([, content]) => content.includes('"postgres"'))).toBe(true);
  const log = await stack.serverLog();
  expect(log).toMatch(/connection authorized: user=postgres/);
  expect(log).not.toMatch(/SCRAM-SHA-256\$/);
  expectNothingIn([["log", log], ["pg_stat_statements", statements?.all ?? ""], ...seen.activity]);
});

test("S2 the server's files that hold secrets are its own user's only", async () => {
  const listed = await stack.inside(
    "stat -c '%a %U %n' /etc/pgstack/* /etc/pgstack/.[!.]* /etc/pgstack/tls/* /etc/pgstack/tls/.[!.]*",
  );
  const files = listed.trim().split("\n");
  expect(files.some((line) => line.endsWith("/tls/server.key"))).toBe(true);
  for (const line of files) expect(line).toMatch(/^(600|700) postgres /);
  expect(await stack.inside('find "$PGDATA" ! -user postgres -o -perm /077')).toBe("");
});
