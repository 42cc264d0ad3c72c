import { describe, expect, test } from "vitest";
import { changesOf, errorsIn, findingsIn } from "../../cli/preview-change/changes.ts";
import { comment, isRefused, type Report } from "../../cli/preview-change/comment.ts";
import { throwAwaySettings } from "../../cli/preview-change/throw-away-settings.ts";

const urn = (type: string, name: string) => `urn:pulumi:p::pgstack::${type}::${name}`;
const SERVER = "pgstack:index:Server$docker:index/container:Container";
const VOLUME = "pgstack:index:DataVolume$docker:index/volume:Volume";

const PREVIEW = `Previewing update (p):
Policies:
    ❌ pgstack@v0.1.0 (local: policies)
        - [mandatory]  tls-on  (pulumi-nodejs:dynamic/pgstack:ServerConfiguration: server-configuration)
          Without TLS passwords cross the network as they are.
          TLS is off. To mend it: set pgstack:tls.
        - [advisory]  other  (docker:index:Container: server)
          Something.

Diagnostics:
  pulumi:pulumi:Stack (pgstack-p):
    error: preview failed
    error: pgstack:tls is "x"; it must be a map

Resources:
    ~ 1 to update
`;

describe("G4 what a preview says", () => {
  test("G4 the worst first: data at risk, deletions, replacements; components and quiet steps are left out", () => {
    const changes = changesOf([
      { op: "update", urn: urn("pulumi-nodejs:dynamic/pgstack:Role", "role"), diffReasons: ["password"] },
      { op: "replace", urn: urn(SERVER, "server"), replaceReasons: ["ports"] },
      { op: "create-replacement", urn: urn(SERVER, "server") },
      { op: "delete", urn: urn("pgstack:index:Agent$docker:index/container:Container", "agent") },
      { op: "replace", urn: urn(VOLUME, "volume"), replaceReasons: ["name"] },
      { op: "replace", urn: urn(VOLUME, "volume-configuration") },
      { op: "same", urn: urn(VOLUME, "other") },
      { op: "update", urn: "urn:pulumi:p::pgstack::pulumi:pulumi:Stack::pgstack-p" },
    ]);
    expect(changes.map(({ weight, resource }) => `${weight}: ${resource}`)).toEqual([
      "data at risk: volume",
      "deletion: agent",
      "replacement: server",
      "replacement: volume-configuration",
      "change: role",
    ]);
    expect(changes.filter(({ interrupts }) => interrupts).map(({ resource }) => resource)).toEqual([
      "server",
    ]);
  });

  test("G4 findings of the policies with their words, and why it failed", () => {
    expect(findingsIn(PREVIEW)).toEqual([
      {
        level: "mandatory",
        rule: "tls-on",
        resource: "server-configuration",
        message:
          "Without TLS passwords cross the network as they are. TLS is off. To mend it: set pgstack:tls.",
      },
      { level: "advisory", rule: "other", resource: "server", message: "Something." },
    ]);
    expect(errorsIn(PREVIEW)).toEqual(['pgstack:tls is "x"; it must be a map']);
    expect(findingsIn("Policies:\n    ✅ pgstack@v0.1.0\n\nResources:\n")).toEqual([]);
    expect(errorsIn("nothing")).toEqual([]);
  });
});

describe("G4 the comment", () => {
  const report: Report = { stack: "prod", errors: [], changes: [], findings: [], text: "" };

  test("G4 no changes is one line", () => {
    expect(comment("b".repeat(40), "a".repeat(40), [report])).toBe(
      "### Preview of aaaaaaaaaaaa on bbbbbbbbbbbb\n\n#### prod: no changes\n",
    );
    expect(isRefused(report)).toBe(false);
  });

  test("G4 flags first, then the table, the downtime, and the whole preview folded; no text breaks out", () => {
    const text = comment("base", "head", [
      {
        ...report,
        changes: changesOf([
          { op: "replace", urn: urn(VOLUME, "volume"), replaceReasons: ["name|x", "a<b>"] },
          { op: "replace", urn: urn(SERVER, "server") },
        ]),
        findings: findingsIn(PREVIEW),
        restartSeconds: 2.4,
        text: "a ``` fence <script>",
      },
    ]);
    const at = (part: string) => text.indexOf(part);
    expect(at("**data at risk**: `volume`")).toBeGreaterThan(0);
    expect(at("**data at risk**: `volume`")).toBeLessThan(at("| **data at risk** | replace | `volume` |"));
    expect(text).toContain("name\\|x, a&lt;b>");
    expect(text).toContain("about 2 s here");
    expect(text).toContain("refused by the policies");
    expect(text).toContain("````\na ``` fence <script>\n````");
    expect(isRefused({ ...report, findings: findingsIn(PREVIEW) })).toBe(true);
    expect(isRefused({ ...report, errors: ["x"] })).toBe(true);
  });
});

describe("G4 settings of a throw-away stack", () => {
  test("G4 no secret of the live one, no place of it, everything else as it is", async () => {
    const text = `encryptionsalt: v1:abc
config:
  pgstack:environment: production
  # kept
  pgstack:memoryLimit: 4GB
  pgstack:thing:
    secure: AAAB
  pgstack:backupS3:
    bucket: b
    key:
      secure: AAAC
`;
    expect(await throwAwaySettings(text, "preview-1", new Map())).toBe(`config:
  pgstack:environment: production
  # kept
  pgstack:memoryLimit: 4GB
`);
  });

  test("G4 names and ports that the live stack has on this machine are others; what is alike stays alike", async () => {
    const ports = new Map<string, number>();
    const settings = (more: string) =>
      throwAwaySettings(
        `config:\n  pgstack:containerName: shop-db\n  pgstack:publish: "true"\n${more}`,
        "preview-1",
        ports,
      );
    const [base, same, other] = [
      await settings('  pgstack:publishPort: "15432"\n  pgstack:publishAddress: 192.0.2.7\n'),
      await settings('  pgstack:publishPort: "15432"\n  pgstack:publishAddress: 192.0.2.7\n'),
      await settings("  pgstack:port: 5433\n  pgstack:publishAddress: 0.0.0.0\n"),
    ];
    expect(same).toBe(base);
    const [one, two] = [ports.get("15432"), ports.get("5433")];
    expect(new Set([one, two, 15432, 5433]).size).toBe(4);
    expect(base).toBe(
      `config:\n  pgstack:containerName: shop-db-preview-1\n  pgstack:publish: "true"\n  pgstack:publishPort: ${one}\n  pgstack:publishAddress: 127.0.0.1\n`,
    );
    expect(other).toContain(`pgstack:publishPort: ${two}\n`);
    expect(other).toContain("pgstack:publishAddress: 0.0.0.0\n");
  });
});
