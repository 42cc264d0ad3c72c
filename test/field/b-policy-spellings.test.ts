import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isOff } from "../../operations/testing/fast-settings.ts";
import { ALLOWED, REVIEWED } from "../../policies/container-properties.ts";
import { CONTAINER, type Context, type Declared, dynamic, VOLUME } from "../../policies/rule.ts";
import { RULES } from "../../policies/rules.ts";

const CONTEXT: Context = {
  ...{
    stack: "prod",
    environment: "production",
    networkName: "pgstack-prod",
    backupDirectory: "/srv/backups",
  },
  ...{ engineFolders: ["/data/engine"], now: new Date("2026-03-01T12:00:00Z") },
};
const SERVER = {
  ...{ user: "postgres", readOnly: true, capabilities: { drops: ["ALL"] } },
  ...{ securityOpts: ["no-new-privileges:true"], privileged: false },
  ...{ networksAdvanced: [{ name: "3f1c" }], networkMode: "bridge" },
  mounts: [{ type: "volume", source: "data", target: "/data" }],
  tmpfs: { "/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777" },
};

/** What the rules on isolation find of a container that differs from a good one in this. */
function found(over: object, type = CONTAINER): string[] {
  const resource: Declared = {
    ...{ type, name: "one", props: { ...SERVER, ...over } },
    opts: { protect: true, additionalSecretOutputs: [] },
  };
  return RULES.filter(
    ({ name, types }) => ISOLATION.has(name) && (types.length === 0 || types.includes(type)),
  ).flatMap((rule) => rule.check(resource, CONTEXT) ?? []);
}

const ISOLATION = new Set([
  ...["container-not-root", "container-read-only-root", "container-no-capabilities", "container-confined"],
  ...["container-no-new-privileges", "container-not-privileged", "container-own-network", "kind-known"],
  ...["container-no-host-paths", "container-tmpfs-inert", "volume-not-of-host", "network-internal"],
]);
const bind = (source: unknown, more: object = {}) => ({
  mounts: [{ type: "bind", source, target: "/b", ...more }],
});

/** The same path, written in another way. */
function spelled(path: string): fc.Arbitrary<string> {
  const parts = path.split("/").filter((part) => part !== "");
  const between = fc.constantFrom("/", "//", "/./", "/x/../", "/../x/../", "///./");
  return (
    fc
      .tuple(
        fc.array(between, { minLength: parts.length, maxLength: parts.length }),
        fc.constantFrom("", "/", "/.", "//"),
      )
      // Leading "..", which the root swallows, would otherwise take a part before it away.
      .map(
        ([gaps, end]) =>
          parts.reduce(
            (text, part, index) =>
              text + (index > 0 && gaps[index]?.startsWith("/..") ? "/" : gaps[index]) + part,
            "",
          ) + end,
      )
  );
}

describe("rules on isolation know what is harmless, and refuse the rest however it is written [B12]", () => {
  test("a good container passes, with a folder for backups too", () => {
    expect(found({})).toEqual([]);
    expect(found({ networkMode: "none", networksAdvanced: [] })).toEqual([]);
    expect(found({ user: "999:999", securityOpts: ["no-new-privileges", "seccomp=builtin"] })).toEqual([]);
    expect(found(bind("/srv/backups"))).toEqual([]);
  });

  test.each([
    [{ user: "00:00" }],
    [{ user: "postgres:root" }],
    [{ securityOpts: ["no-new-privileges:true", "no-new-privileges:false"] }],
    [{ securityOpts: ["no-new-privileges:true", 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'] }],
    [{ securityOpts: ["no-new-privileges:true", "label=disable"] }],
    [{ devices: [{ hostPath: "/dev/sda" }] }],
    [{ groupAdds: ["docker"] }],
    [{ pidMode: "container:other" }],
    [{ cgroupnsMode: "host" }],
    [{ privileged: "true" }],
    [{ publishAllPorts: true }],
    [{ sysctls: { "kernel.shmmax": "1" } }],
    [{ runtime: "/tmp/my-runtime" }],
    [{ networkMode: "container:other" }],
    [{ networkMode: "bridge", networksAdvanced: [] }],
    [{ networksAdvanced: [{ name: "host" }] }],
    [{ tmpfs: { "/tmp": "rw,noexec,nosuid,nodev,exec" } }],
    [{ tmpfs: { "/tmp": "rw" } }],
    [{ volumes: [{ fromContainer: "other" }] }],
    [{ mounts: [{ type: "volume", source: "/etc", target: "/e" }] }],
    [
      {
        mounts: [
          {
            type: "volume",
            source: "v",
            volumeOptions: { driverOptions: { type: "none", o: "bind", device: "/" } },
          },
        ],
      },
    ],
    [bind("/srv/backups", { bindOptions: { propagation: "rshared" } })],
    [bind("srv/backups")],
    [bind("/srv/backups/../other")],
  ])("%j is refused", (over) => {
    expect(found(over)).not.toEqual([]);
  });

  test("volumes of the host, networks that only sound like the stack's, and kinds that no rule looks at", () => {
    expect(
      found({ driver: "local", driverOpts: { type: "none", o: "bind", device: "/etc" } }, VOLUME),
    ).toHaveLength(1);
    expect(found({ driver: "local", driverOpts: { type: "nfs", device: ":/" } }, VOLUME)).toHaveLength(1);
    expect(found({ driver: "sshfs" }, VOLUME)).toHaveLength(1);
    expect(
      found({ driver: "local", driverOpts: { type: "tmpfs", device: "tmpfs", o: "size=64m" } }, VOLUME),
    ).toEqual([]);
    const network = (name: string) => found({ network: name, internal: false }, dynamic("Network"));
    expect(network("pgstack-prod-access")).toEqual([]);
    expect(network("open-access")).toHaveLength(1);
    for (const type of [
      "docker:index/service:Service",
      "docker:index/network:Network",
      "command:remote:Command",
    ])
      expect(found({}, type)).toHaveLength(1);
  });

  test("user 0 is refused however it is written, and every other number passes", () => {
    const zero = fc.stringMatching(/^[ +-]?0{1,12}$/);
    const number = fc.integer({ min: 1, max: 2 ** 31 - 1 }).map(String);
    const anything = fc.oneof(number, fc.string());
    fc.assert(fc.property(zero, anything, (user, group) => found({ user: `${user}:${group}` }).length > 0));
    fc.assert(fc.property(anything, zero, (user, group) => found({ user: `${user}:${group}` }).length > 0));
    fc.assert(fc.property(number, number, (user, group) => found({ user: `${user}:${group}` }).length === 0));
  });

  test("one security option that is not known to be harmless is enough, wherever it stands", () => {
    const good = fc.constantFrom("no-new-privileges", "no-new-privileges:true", "seccomp=builtin");
    const bad = fc.oneof(
      fc.stringMatching(/^(no-new-privileges|NO-NEW-PRIVILEGES)[:= ](false|0|f|FALSE|)$/),
      fc.string().map((profile) => `seccomp=${profile}x`),
      fc.string().map((profile) => `seccomp:${profile}`),
      fc.stringMatching(/^(apparmor|label|systempaths|credentialspec)[:=][a-z]{0,12}$/),
    );
    fc.assert(
      fc.property(fc.array(good), bad, fc.array(good), (before, one, after) => {
        fc.pre(one !== "apparmor=docker-default");
        return found({ securityOpts: ["no-new-privileges:true", ...before, one, ...after] }).length > 0;
      }),
    );
  });

  test("a folder of the host's system is refused in every spelling, even where the settings name it", () => {
    const folders = [
      ...[
        "/",
        "/etc",
        "/var",
        "/var/lib",
        "/var/lib/docker/volumes",
        "/var/run/docker.sock",
        "/usr",
        "/root/.ssh",
      ],
      ...[
        "/home",
        "/home/me",
        "/home/me/.ssh",
        "/proc/1/root",
        "/data/engine",
        "/data",
        "/data/engine/volumes",
        "/ETC",
      ],
    ];
    for (const folder of folders) {
      fc.assert(
        fc.property(spelled(folder), (source) => {
          const context = { ...CONTEXT, backupDirectory: folder };
          const props = { ...SERVER, ...bind(source) };
          const resource = {
            type: CONTAINER,
            name: "one",
            props,
            opts: { protect: true, additionalSecretOutputs: [] },
          };
          const rule = RULES.find(({ name }) => name === "container-no-host-paths");
          return rule?.check(resource, context) !== undefined;
        }),
        { numRuns: 40 },
      );
    }
  });

  test("the folder for backups passes in every spelling, and no other folder does", () => {
    fc.assert(fc.property(spelled("/srv/backups"), (source) => found(bind(source)).length === 0));
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z.~$ ]{1,6}$/), { maxLength: 5 }), (parts) => {
        const source = `/${parts.join("/")}`;
        fc.pre(!/^\/srv\/backups$/.test(source));
        return found(bind(source)).length > 0;
      }),
    );
  });

  test("a property that nobody has reviewed is refused, whatever it is", () => {
    const name = fc
      .stringMatching(/^[a-z]{1,10}([A-Z][a-z]{1,8})?$/)
      .filter((text) => !REVIEWED.has(text) && !ALLOWED.has(text));
    const value = fc
      .anything()
      .filter(
        (one) => one !== undefined && one !== null && one !== "" && Object.keys(Object(one)).length > 0,
      );
    fc.assert(fc.property(name, value, (property, given) => found({ [property]: given }).length > 0));
  });

  test("every property of the Docker provider's containers has been reviewed", () => {
    const file = fileURLToPath(new URL("../../node_modules/@pulumi/docker/container.d.ts", import.meta.url));
    const text = readFileSync(file, "utf8").split("export interface ContainerArgs")[1] ?? "";
    const properties = [...text.matchAll(/^ {4}(\w+)\??: pulumi\.Input</gm)].map(([, name = ""]) => name);
    expect(properties.length).toBeGreaterThan(60);
    expect(properties.filter((name) => !REVIEWED.has(name) && !ALLOWED.has(name))).toEqual([]);
  });

  test("a switch is off in all the ways in which PostgreSQL reads it [B12]", () => {
    for (const word of ["off", "OF", "f", "Fal", "false", "n", "no", "0", 0, false])
      expect(isOff(word)).toBe(true);
    for (const word of ["on", "t", "true", "y", "yes", "1", 1, true, undefined, "local"])
      expect(isOff(word)).toBe(false);
  });
});
