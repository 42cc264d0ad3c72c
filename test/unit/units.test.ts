import { describe, expect, test } from "vitest";
import { calendarOf, units } from "../../cli/units.ts";

describe("L3 units for systemd", () => {
  test.each([
    ["0 2 * * *", "*-*-* 02:00:00 UTC"],
    ["30 1,13 * * *", "*-*-* 01,13:30:00 UTC"],
    ["*/15 * * * *", "*-*-* *:00/15:00 UTC"],
    ["0 4 * * 0", "Sun *-*-* 04:00:00 UTC"],
    ["0 4 * * 1-5", "Mon..Fri *-*-* 04:00:00 UTC"],
    ["5 0 1 */3 *", "*-1/3-1 00:05:00 UTC"],
  ])("L3 %s is %s", (line, calendar) => {
    expect(calendarOf(line)).toBe(calendar);
  });

  test("L3 a missed run is made up for, and retention follows the backups", () => {
    const text = units("prod", "0 2 * * *", "/srv/pgstack");
    expect(text).toContain("Persistent=true");
    expect(text.match(/^ExecStart=.*$/gm)).toEqual([
      "ExecStart=/srv/pgstack/pgstack --stack prod backup --kind incr",
      "ExecStart=/srv/pgstack/pgstack --stack prod backup",
      "ExecStart=/srv/pgstack/pgstack --stack prod backups --prune",
    ]);
  });
});
