import { isIP } from "node:net";
import type Docker from "dockerode";
import { daysLeft } from "./certificates.ts";
import { DATA_MOUNT } from "./data-directory.ts";
import { dockerEngine, findContainer } from "./docker.ts";
import { parseDf } from "./health/disk-headroom.ts";
import { lookInside } from "./health/inside.ts";
import type { DiskUse, HealthReport } from "./health/report.ts";
import { lastHealthReport } from "./health-log.ts";
import { queryAsSuperuser } from "./superuser.ts";
import type { Target } from "./target.ts";
import { errorLine } from "./user-error.ts";

/** What {@link gatherStatus} looks at beside the container. */
export interface StatusOptions {
  /** Names of the stack's roles, in the order in which they are shown. */
  readonly roles: readonly string[];
  /** Directory of the health log. Absent: no last health. */
  readonly logsDirectory?: string;
  /** Milliseconds for each question. Default: 5,000. */
  readonly timeoutMilliseconds?: number;
}

/** A role and what it holds. */
export interface RoleStatus {
  readonly name: string;
  readonly exists: boolean;
  readonly connections: number;
}

/** One screen about one stack. A part that could not be had is undefined and said in {@link StackStatus.problems}. */
export interface StackStatus {
  readonly stack: string;
  readonly container: {
    readonly name: string;
    /** As Docker says it (`running`, `exited`, …), or `missing`. */
    readonly state: string;
    /** Docker's own health check: `healthy`, `unhealthy`, `starting`; undefined when there is none. */
    readonly health: string | undefined;
    /** ISO 8601 in UTC; undefined when it does not run. */
    readonly startedAt: string | undefined;
    readonly uptimeSeconds: number | undefined;
    /** How often Docker has started it again by itself. */
    readonly restarts: number;
  };
  readonly image:
    | { readonly name: string; readonly id: string; readonly digest: string | undefined }
    | undefined;
  readonly volumes: readonly { readonly name: string; readonly path: string; readonly writable: boolean }[];
  readonly networks: readonly { readonly name: string; readonly address: string | undefined }[];
  /** Why the container holds the server back; absent while it does not. */
  readonly held?: string;
  readonly serverVersion: string | undefined;
  readonly connections: { readonly used: number; readonly maximum: number } | undefined;
  readonly roles: readonly RoleStatus[] | undefined;
  /** Days until the server's certificate ends; undefined when TLS is off. */
  readonly tlsDaysLeft: number | undefined;
  readonly disk: DiskUse | undefined;
  readonly lastHealth: Pick<HealthReport, "at" | "status"> | undefined;
  readonly problems: readonly string[];
}

interface ServerFacts {
  readonly version: string;
  readonly used: number;
  readonly maximum: number;
  readonly roles: Readonly<Record<string, number>>;
  /** The server's certificate and its chain as PEM; null when TLS is off. */
  readonly certificate: string | null;
}

const DEFAULT_TIMEOUT_MILLISECONDS = 5_000;

/**
 * Gathers one screen of facts about a stack. Works also when the server, or its whole container, is not there; only
 * an engine that does not answer is an error.
 */
export async function gatherStatus(target: Target, options: StatusOptions): Promise<StackStatus> {
  const docker = dockerEngine(target.dockerHost);
  const found = await findContainer(docker, target.container);
  const running = found?.State.Running === true && !found.State.Paused;
  const problems: string[] = [];
  const timeoutMilliseconds = options.timeoutMilliseconds ?? DEFAULT_TIMEOUT_MILLISECONDS;
  const ask = async <T>(what: string, question: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await question();
    } catch (error) {
      problems.push(`${what}: ${errorLine(error)}`);
      return undefined;
    }
  };
  const whenRunning = async <T>(what: string, question: () => Promise<T>) =>
    running ? await ask(what, question) : undefined;
  const { logsDirectory } = options;

  const role = options.roles[0] ?? "postgres";
  const inside = running ? lookInside(target, role, timeoutMilliseconds) : undefined;
  const reason = inside?.then((view) => view.held).catch(() => undefined);
  const [held, facts, disk, image, lastHealth] = await Promise.all([
    reason,
    whenRunning("server", () =>
      serverFacts(target, timeoutMilliseconds).catch(async (error: unknown) => {
        const held = await reason;
        throw held === undefined ? error : new Error(`held: ${held}`);
      }),
    ),
    inside === undefined ? undefined : ask("disk", async () => parseDf((await inside).df.output)),
    found === undefined ? undefined : ask("image", () => imageOf(docker, found)),
    logsDirectory === undefined
      ? undefined
      : ask("last health", () => lastHealthReport({ logsDirectory, stack: target.stack })),
  ]);
  if (found === undefined) problems.push(`container ${target.container} does not exist`);
  else if (!running) problems.push(`container ${target.container} is ${found.State.Status}`);

  return {
    stack: target.stack,
    container: containerStatus(target, found),
    image,
    volumes: volumesOf(found),
    networks: networksOf(found),
    ...(held === undefined ? {} : { held }),
    serverVersion: facts?.version,
    connections: facts === undefined ? undefined : { used: facts.used, maximum: facts.maximum },
    roles: facts === undefined ? undefined : options.roles.map((name) => roleStatus(name, facts)),
    tlsDaysLeft: facts?.certificate ? daysLeft(facts.certificate) : undefined,
    disk,
    lastHealth: lastHealth === undefined ? undefined : { at: lastHealth.at, status: lastHealth.status },
    problems,
  };
}

async function serverFacts(target: Target, timeoutMilliseconds: number): Promise<ServerFacts> {
  const [facts] = await queryAsSuperuser<ServerFacts>(
    target,
    `select current_setting('server_version') as version,
            current_setting('max_connections')::int as maximum,
            (select count(*) from pg_stat_activity
             where backend_type = 'client backend' and pid <> pg_backend_pid()) as used,
            (select json_object_agg(rolname, (select count(*) from pg_stat_activity where usesysid = pg_roles.oid))
             from pg_roles where rolcanlogin) as roles,
            case when current_setting('ssl') = 'on'
                 then pg_read_file(current_setting('ssl_cert_file'), true) end as certificate`,
    { timeoutMilliseconds },
  );
  if (facts === undefined) throw new Error("the server did not answer");
  return facts;
}

function roleStatus(name: string, { roles }: ServerFacts): RoleStatus {
  return { name, exists: Object.hasOwn(roles, name), connections: roles[name] ?? 0 };
}

function containerStatus(
  target: Target,
  found: Docker.ContainerInspectInfo | undefined,
): StackStatus["container"] {
  const startedAt = found?.State.Running === true ? found.State.StartedAt : undefined;
  return {
    name: target.container,
    state: found?.State.Status ?? "missing",
    health: found?.State.Health?.Status,
    startedAt,
    uptimeSeconds: startedAt === undefined ? undefined : secondsSince(startedAt),
    restarts: found?.RestartCount ?? 0,
  };
}

async function imageOf(docker: Docker, found: Docker.ContainerInspectInfo): Promise<StackStatus["image"]> {
  const { Id, RepoDigests } = await docker.getImage(found.Image).inspect();
  return { name: found.Config.Image, id: Id, digest: RepoDigests?.[0]?.split("@")[1] };
}

function volumesOf(found: Docker.ContainerInspectInfo | undefined): StackStatus["volumes"] {
  const mounts = (found?.Mounts ?? []).filter(({ Name }) => Name !== undefined);
  return mounts
    .map(({ Name, Destination, RW }) => ({ name: Name ?? "", path: Destination, writable: RW }))
    .sort((left, right) => Number(right.path === DATA_MOUNT) - Number(left.path === DATA_MOUNT));
}

function networksOf(found: Docker.ContainerInspectInfo | undefined): StackStatus["networks"] {
  return Object.entries(found?.NetworkSettings.Networks ?? {}).map(([name, { IPAddress }]) => ({
    name,
    address: isIP(IPAddress) === 0 ? undefined : IPAddress,
  }));
}

function secondsSince(time: string): number {
  return Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1_000));
}
