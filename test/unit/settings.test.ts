import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { renderPostgresqlConf } from "../../operations/postgresql-conf.ts";
import { serverParameters } from "../../settings/server-parameters.ts";
import { read, refusal } from "../support/settings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { WRONG_COMBINATIONS } from "../support/wrong-combinations.ts";
import { WRONG_SERVER_SETTINGS } from "../support/wrong-server-settings.ts";
import { WRONG_VALUES } from "../support/wrong-values.ts";

describe("P5 wrong settings", () => {
  it.each(
    [...WRONG_VALUES, ...WRONG_SERVER_SETTINGS, ...WRONG_COMBINATIONS].map(
      ([config, line, context]) =>
        [JSON.stringify(config), JSON.stringify(context), { config, line, context }] as const,
    ),
  )("P5 %s is refused with one line (%s)", (_config, _context, { config, line, context }) => {
    expect(refusal(config, context)).toEqual([line]);
  });

  it("P5 a combination is named beside a wrong value, but not one that the wrong value is part of", () => {
    expect(refusal({ memoryLimit: "tiny", sharedBuffers: "2GB", readonlyRole: "application" })).toEqual([
      'pgstack:readonlyRole is "application"; it must be another name than applicationRole',
      'pgstack:memoryLimit is "tiny"; it must be an amount of memory from 64MB to 16TB, with the unit kB, MB, GB or TB',
    ]);
  });

  it("P5 a stack's name that is too long for the default names is refused with one line", () => {
    const stack = "s".repeat(42);
    expect(refusal({}, { stack })).toEqual([
      `the stack's name "${stack}" has 42 letters; at most 41 are right, since names in Docker are made from it: take a shorter one, or set pgstack:configurationVolumeName`,
    ]);
    const [line = "", ...more] = refusal({}, { stack: "s".repeat(60) });
    expect(more).toEqual([]);
    expect(line).toContain("has 60 letters; at most 41 are right");
    expect(read({}, { stack: "s".repeat(41) }).configurationVolumeName).toHaveLength(63);
    const named = { configurationVolumeName: "shop-c", backupVolumeName: "shop-b" };
    expect(refusal(named, { stack: "s".repeat(60) })).toEqual([
      expect.stringContaining("at most 50 are right"),
    ]);
  });

  it("P5 a volume is not named as one that the stack makes from its container's name", () => {
    expect(refusal({ containerName: "shop", dataVolumeName: "shop-scratch" })).toEqual([
      'pgstack:dataVolumeName is "shop-scratch"; it must be another name: the stack makes a volume of this name from containerName',
    ]);
  });

  it("P5 names under which the stack makes and removes objects of its own are refused", () => {
    for (const databaseName of ["pgstack_old_1", "pgstack_test_shop", "pgstack_template_a"]) {
      expect(refusal({ databaseName })).toEqual([
        expect.stringContaining("must be another name: the stack makes"),
      ]);
    }
    expect(refusal({ readonlyRole: "pgstack_test_environment" })).toHaveLength(1);
    expect(refusal({ schemas: '["pgstack"]' })).toHaveLength(1);
    expect(read({ databaseName: "pgstack_shop" }).databaseName).toBe("pgstack_shop");
  });

  it("P5 init SQL must be a file that can be read and sent", async () => {
    const projectDirectory = await temporaryFolder();
    writeFileSync(join(projectDirectory, "good.sql"), "select 1;");
    writeFileSync(join(projectDirectory, "large.sql"), "");
    truncateSync(join(projectDirectory, "large.sql"), 10 * 1024 ** 2 + 1);
    expect(read({ initSql: '["./good.sql"]' }, { projectDirectory }).initSql).toEqual(["good.sql"]);
    expect(refusal({ initSql: '["good.sql", "large.sql"]' }, { projectDirectory })).toEqual([
      'pgstack:initSql.1 is "large.sql"; it must be a file of at most 10485760 bytes; it has 10485761',
    ]);
  });
});

describe("F15 hostile values", () => {
  it("F15 10 MB are refused by their length, without showing them", () => {
    expect(refusal({ databaseName: "x".repeat(10 * 1024 ** 2) })).toEqual([
      "pgstack:databaseName is 10485760 bytes long; it must be at most 65536 bytes",
    ]);
  });

  it("F15 deep nesting and keys of JavaScript's own are refused like any other", () => {
    expect(refusal({ labels: `${"[".repeat(30000)}${"]".repeat(30000)}` })).toEqual([
      "pgstack:labels has lists or maps nested too deep; no setting needs that",
    ]);
    expect(refusal(JSON.parse('{"__proto__": "1", "constructor": "2"}'))).toEqual([
      "pgstack:__proto__ is not a setting; it must be one of those in docs/settings.md",
      "pgstack:constructor is not a setting; it must be one of those in docs/settings.md",
    ]);
  });

  it("F15 a hostile key is shown cut and on one line", () => {
    const [line = ""] = refusal({ [`a\n\u0000${"k".repeat(10_000)}`]: "1" });
    expect(line).toMatch(/^pgstack:a\?\?k+… is not a setting/);
    expect(line.length).toBeLessThan(250);
  });

  it("F15 quotes, semicolons and $() in a server setting stay one quoted text", () => {
    const line = `%t'; drop table x; $(id) \`id\` \\`;
    const settings = read({ serverSettings: JSON.stringify({ log_line_prefix: line }) });
    expect(settings.serverSettings).toEqual({ log_line_prefix: line });
    expect(renderPostgresqlConf(serverParameters(settings), { tls: true })).toContain(
      `log_line_prefix = '%t''; drop table x; $(id) \`id\` \\\\'\n`,
    );
  });

  it("S2 values that Pulumi keeps as secrets are never shown, alone or in a combination", () => {
    const secretKeys = ["pgstack:sharedBuffers", "port", "pgstack:password"];
    const config = { port: "hunter2", sharedBuffers: "3333MB", password: "hunter2" };
    const lines = refusal(config, { secretKeys });
    expect(lines).toHaveLength(3);
    expect(lines.join("\n")).not.toMatch(/hunter2|3333/);
  });
});
