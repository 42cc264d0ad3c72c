import { expect } from "vitest";
import { type BenchmarkPoint, met, metOtherwise, notApplicable } from "./benchmark-point.ts";
import type { DockerFacts } from "./docker-facts.ts";

const NOT_OURS = "the image is chosen by the setting `image`: this is its maker's work";

/** The points of the CIS Docker Benchmark 1.6.0 about images (4) and containers at run time (5). */
export const DOCKER_POINTS: readonly BenchmarkPoint<DockerFacts>[] = [
  met(
    "4.1",
    "a user of its own in the container",
    "`User` of the container is postgres; user and group ids of the server are not 0",
    ({ container, server }) => {
      expect(container.Config.User).toBe("postgres");
      expect(server.Uid).not.toMatch(/\b0\b/);
      expect(server.Gid).not.toMatch(/\b0\b/);
    },
  ),
  met(
    "4.2",
    "trusted base images only",
    "the reference is resolved to a digest or image id, which the container runs and a preview shows",
    ({ container, wantedImage }) => expect(container.Image).toBe(wantedImage),
  ),
  notApplicable("4.3", "no needless packages in the image", NOT_OURS),
  notApplicable(
    "4.4",
    "images scanned and rebuilt with security patches",
    `${NOT_OURS}; every run resolves the tag anew and previews a newer image`,
  ),
  metOtherwise(
    "4.5",
    "content trust for images",
    "images are used by digest or id and never by a tag alone",
    ({ container }) => expect(container.Config.Image).toMatch(/sha256:[0-9a-f]{64}$/),
  ),
  met("4.6", "a health check", "`pg_isready` over TCP every 5 seconds", ({ container }) =>
    expect(container.Config.Healthcheck?.Test).toContain("pg_isready"),
  ),
  met(
    "4.7",
    "no lone update instruction in a Dockerfile",
    "the one of the derived image installs and updates in one step",
    ({ dockerfiles }) => {
      expect(dockerfiles.length).toBeGreaterThan(0);
      expect(
        dockerfiles.filter((text) => /^RUN\s+(apk|apt-get|apt)\s+(update|upgrade)\s*$/m.test(text)),
      ).toEqual([]);
    },
  ),
  metOtherwise(
    "4.8",
    "no setuid and setgid programs",
    "such programs gain nothing: no-new-privileges is set and the bounding set of capabilities is empty",
    ({ server }) => {
      expect(server.NoNewPrivs).toBe("1");
      expect(server.CapBnd).toMatch(/^0+$/);
    },
  ),
  met("4.9", "COPY in place of ADD in a Dockerfile", "it adds nothing", ({ dockerfiles }) =>
    expect(dockerfiles.filter((text) => /^ADD\s/m.test(text))).toEqual([]),
  ),
  met(
    "4.10",
    "no secrets in the image",
    "nothing is built into it; its environment holds none (and `secrets.test.ts` looks for every secret in it)",
    ({ image }) =>
      expect((image.Config.Env ?? []).filter((line) => /PASS|SECRET|TOKEN|KEY/i.test(line))).toEqual([]),
  ),
  notApplicable(
    "4.11",
    "verified packages only",
    `${NOT_OURS}; the stand-in without a registry is made of packages checked by signature or checksum`,
  ),
  notApplicable("4.12", "signed artifacts validated", `as 4.11`),
  met("5.1", "no swarm mode without need", "the stack needs none; the engine is in none", ({ engine }) =>
    expect(engine.Swarm.LocalNodeState).toBe("inactive"),
  ),
  met(
    "5.2",
    "AppArmor profile on",
    "the engine's own profile is left on wherever the host has AppArmor",
    ({ engine, container }) => {
      const has = engine.SecurityOptions.some((option) => option.startsWith("name=apparmor"));
      const { AppArmorProfile } = container as unknown as { AppArmorProfile: string };
      expect(AppArmorProfile).toBe(has ? "docker-default" : "");
      expect(container.HostConfig.SecurityOpt?.join()).not.toMatch(/apparmor/);
    },
  ),
  met("5.3", "SELinux options set", "labels are left on wherever the engine uses SELinux", ({ container }) =>
    expect(container.HostConfig.SecurityOpt?.join()).not.toMatch(/label/),
  ),
  met(
    "5.4",
    "capabilities restricted",
    "all are dropped: the five sets of the server are empty",
    ({ container, server }) => {
      expect(container.HostConfig).toMatchObject({ CapDrop: ["ALL"], CapAdd: null });
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
        expect(server[set]).toMatch(/^0+$/);
    },
  ),
  met("5.5", "not privileged", "`Privileged` is false", ({ container }) =>
    expect(container.HostConfig.Privileged).toBe(false),
  ),
  met(
    "5.6",
    "no folders of the host inside",
    "volumes of the stack's own, the one with the configuration read-only; nothing is bound unless `backupDirectory` names a folder",
    ({ container }) => {
      expect(container.HostConfig.Binds ?? []).toEqual([]);
      const mounts = container.Mounts.map(({ Type, RW, Destination }) => `${Type} ${RW} ${Destination}`);
      expect(mounts).toEqual(
        expect.arrayContaining(["volume false /etc/pgstack", "volume true /var/lib/postgresql/data"]),
      );
      expect(mounts.filter((mount) => !mount.startsWith("volume "))).toEqual([]);
    },
  ),
  met(
    "5.7",
    "no sshd inside",
    "PostgreSQL and what was run for this check are all that runs",
    ({ programs }) => {
      expect(
        programs.filter((name) => !/^(postgres|pg_isready|bash|sh|cat|timeout|sleep|psql)$/.test(name)),
      ).toEqual([]);
    },
  ),
  met(
    "5.8",
    "no privileged port mapped",
    "no port is; one below 1024 is refused unless the stack runs as root",
    ({ container }) => expect(container.HostConfig.PortBindings ?? {}).toEqual({}),
  ),
  met(
    "5.9",
    "needed ports only",
    "5432 is the one port that is exposed and listened on",
    ({ container, ports }) => {
      expect(Object.keys(container.Config.ExposedPorts ?? {})).toEqual(["5432/tcp"]);
      expect(ports).toEqual([5432]);
    },
  ),
  met("5.10", "not on the host's network", "on the stack's own internal network", ({ container }) =>
    expect(container.HostConfig.NetworkMode).not.toMatch(/^(host|container:)/),
  ),
  met("5.11", "memory limit", "setting `memoryLimit`, no swap beside it", ({ container }) => {
    expect(container.HostConfig.Memory).toBe(512 * 1024 ** 2);
    expect(container.HostConfig.MemorySwap).toBe(container.HostConfig.Memory);
  }),
  met("5.12", "processor share", "setting `cpuLimit`", ({ container }) =>
    expect(container.HostConfig.NanoCpus).toBe(2_000_000_000),
  ),
  met(
    "5.13",
    "root file system read-only",
    "with /tmp and the socket's folder in memory; `security.test.ts` tries to write elsewhere",
    ({ container }) => expect(container.HostConfig.ReadonlyRootfs).toBe(true),
  ),
  met(
    "5.14",
    "ports bound to one address of the host",
    "none is published here; a published one is bound to 127.0.0.1 by default (`security.test.ts`)",
    ({ container }) =>
      expect(Object.values(container.NetworkSettings.Ports).flat().filter(Boolean)).toEqual([]),
  ),
  metOtherwise(
    "5.15",
    "at most five restarts on failure",
    "`unless-stopped`: the database must come back with the engine; Docker waits longer after each failure, and `up` and health report the loop",
    ({ container }) => expect(container.HostConfig.RestartPolicy?.Name).toBe("unless-stopped"),
  ),
  met("5.16", "not in the host's process namespace", "`PidMode` is the container's own", ({ container }) =>
    expect(container.HostConfig.PidMode).toBe(""),
  ),
  met("5.17", "not in the host's IPC namespace", "`IpcMode` is private", ({ container }) =>
    expect(container.HostConfig.IpcMode).toBe("private"),
  ),
  met("5.18", "no devices of the host inside", "`Devices` is empty", ({ container }) =>
    expect(container.HostConfig.Devices ?? []).toEqual([]),
  ),
  met("5.19", "ulimits overwritten where needed", "none is needed: the daemon's apply", ({ container }) =>
    expect(container.HostConfig.Ulimits ?? []).toEqual([]),
  ),
  met("5.20", "no shared mount propagation", "no mount has one", ({ container }) =>
    expect(container.Mounts.map(({ Propagation }) => Propagation).join()).not.toMatch(/shared/),
  ),
  met(
    "5.21",
    "not in the host's UTS namespace",
    "the container has a host name of its own",
    ({ container }) => expect(container.HostConfig.UTSMode).toBe(""),
  ),
  met(
    "5.22",
    "seccomp profile on",
    "the engine's default; `Seccomp: 2` in /proc/1/status",
    ({ container, server }) => {
      expect(server.Seccomp).toBe("2");
      expect(container.HostConfig.SecurityOpt?.join()).not.toMatch(/seccomp/);
    },
  ),
  met(
    "5.23",
    "docker exec never privileged",
    "of all that is run in the container during `up`",
    ({ executions }) => {
      expect(executions.length).toBeGreaterThan(5);
      expect(executions.filter(({ privileged }) => privileged)).toEqual([]);
    },
  ),
  met("5.24", "docker exec never as root", "as postgres; `pgstack psql` as nobody", ({ executions }) => {
    for (const { user } of executions) expect(["postgres", undefined]).toContain(user);
  }),
  met("5.25", "the engine's own control group", "`CgroupParent` is not set", ({ container }) =>
    expect(container.HostConfig.CgroupParent).toBe(""),
  ),
  met(
    "5.26",
    "no further privileges to be gained",
    "no-new-privileges; `NoNewPrivs: 1` in /proc/1/status",
    ({ container, server }) => {
      expect(container.HostConfig.SecurityOpt).toEqual(["no-new-privileges:true"]);
      expect(server.NoNewPrivs).toBe("1");
    },
  ),
  met("5.27", "health checked at run time", "`State.Health` is healthy", ({ container }) =>
    expect(container.State.Health?.Status).toBe("healthy"),
  ),
  metOtherwise(
    "5.28",
    "the latest version of the image",
    "each run asks the registry what the tag means now; a newer image is previewed and not slipped in",
    ({ container, wantedImage }) => expect(container.Image).toBe(wantedImage),
  ),
  met("5.29", "limit of processes", "setting `pidsLimit`", ({ container }) =>
    expect(container.HostConfig.PidsLimit).toBe(256),
  ),
  met("5.30", "not on the default bridge", "one network of the stack's own, internal", ({ networks }) => {
    expect(networks.map(({ Name, Internal }) => [Name === "bridge", Internal])).toEqual([[false, true]]);
  }),
  met(
    "5.31",
    "not in the host's user namespace by request",
    "`UsernsMode` is the engine's own",
    ({ container }) => expect(container.HostConfig.UsernsMode).toBe(""),
  ),
  met("5.32", "no Docker socket inside", "nothing of the host is inside at all, see 5.6", ({ container }) =>
    expect(JSON.stringify([container.Mounts, container.HostConfig.Mounts])).not.toMatch(/\.sock/),
  ),
];
