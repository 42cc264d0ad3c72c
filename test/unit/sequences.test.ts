import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { generateSequence, SEEDS } from "../support/sequences/generate.ts";
import { History } from "../support/sequences/history.ts";
import {
  formatSequence,
  KINDS,
  LOSSES,
  parseSequence,
  STAGES,
  type Step,
  VICTIMS,
} from "../support/sequences/step.ts";

const seeds = Array.from({ length: SEEDS }, (_, index) => index + 1);
const all = seeds.map((seed) => generateSequence(seed));

describe("a sequence", () => {
  test("follows from its seed alone", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        expect(generateSequence(seed)).toEqual(generateSequence(seed));
      }),
    );
    expect(formatSequence(generateSequence(1))).toBe(
      "write 26; backup incr killed; write 29; kill both; write 20 settled lose data restore latest",
    );
    expect(new Set(all.map(formatSequence)).size).toBe(SEEDS);
  });

  test("has 5 to 12 steps, rows first, and one to three restores", () => {
    for (const steps of all) {
      expect(steps.length).toBeGreaterThanOrEqual(5);
      expect(steps.length).toBeLessThanOrEqual(12);
      expect(steps[0]?.type).toBe("write");
      const restores = steps.filter(({ type }) => type === "restore" || type === "lose").length;
      expect([1, 2, 3]).toContain(restores);
    }
  });

  test("restores what is there by then: a moment that was, a backup that was not killed", () => {
    for (const steps of all) {
      for (const [index, step] of steps.entries()) {
        if ((step.type !== "restore" && step.type !== "lose") || step.to.type === "latest") continue;
        expect(step.to.step).toBeLessThanOrEqual(index);
        if (step.to.type === "time") continue;
        const taken = steps[step.to.step - 1];
        expect(taken).toMatchObject({ type: "backup", during: expect.not.stringMatching("killed") });
        if (step.type === "lose") expect(taken).not.toMatchObject({ kind: "logical" });
      }
    }
  });

  test("waits for what recovery to a moment needs behind it, where no server can add it", () => {
    const lost = all.flat().filter((step) => step.type === "lose");
    expect(lost.filter(({ to, settled }) => to.type === "time" && !settled)).toEqual([]);
  });

  test("is one of many: together they have each step, each in all its ways", () => {
    const words = new Set(all.flat().map((step) => formatSequence([withoutNumbers(step)])));
    const wanted = [
      ...["write 0", ...VICTIMS.map((victim) => `write 0 killing ${victim}`)],
      ...["kill server", "kill agent", "kill both", "drill", "fill", "forget"],
      ...KINDS.flatMap((kind) => ["", " writing", " killed"].map((during) => `backup ${kind}${during}`)),
      ...["latest", "time 0", "backup 0"].map((place) => `restore ${place}`),
      ...STAGES.map((_, index) => `restore time 0 killed at ${index + 1}`),
      ...LOSSES.flatMap((what) => [
        ...[`write 0 lose ${what} restore latest`, `write 0 settled lose ${what} restore latest`],
        ...[`write 0 settled lose ${what} restore time 0`],
      ]),
    ];
    expect(wanted.filter((step) => !words.has(step))).toEqual([]);
  });

  test("is written in words, which are read again, and refused where they are none", () => {
    for (const steps of all) expect(parseSequence(formatSequence(steps))).toEqual(steps);
    expect(() => parseSequence("write 5; burn")).toThrow(/"burn" is no step/);
    expect(() => parseSequence("restore time 1 killed at 7")).toThrow(/is no step/);
  });
});

function withoutNumbers(step: Step): Step {
  const to = (place: Extract<Step, { type: "restore" }>["to"]) =>
    place.type === "latest" ? place : { ...place, step: 0 };
  if (step.type === "write") return { ...step, rows: 0 };
  if (step.type === "kill") return { ...step, away: 0 };
  if (step.type === "restore") return { ...step, to: to(step.to) };
  return step.type === "lose" ? { ...step, rows: 0, to: to(step.to) } : step;
}

describe("a history", () => {
  const NOTHING = { lost: [], wrong: [] };

  test("has what was acknowledged, and tells what is lost or foreign", () => {
    const history = new History();
    history.write(1, true);
    history.write(2, true);
    expect(history.compare([1, 3])).toEqual({ lost: [2], wrong: [3] });
    expect(history.compare([1])).toEqual(NOTHING);
  });

  test("takes a row that was not acknowledged or not, and from then on as it was", () => {
    for (const found of [[1, 2], [2]]) {
      const history = new History();
      history.write(1, false);
      history.write(2, true);
      expect(history.compare(found)).toEqual(NOTHING);
      expect(history.compare([2])).toEqual(found.includes(1) ? { lost: [1], wrong: [] } : NOTHING);
      if (!found.includes(1)) expect(history.compare([1, 2])).toEqual({ lost: [], wrong: [1] });
    }
  });

  test("goes back to a moment: what was written behind it is wrong, what before it must be there", () => {
    const history = new History();
    history.write(1, true);
    const first = history.moment();
    history.write(2, true);
    history.moment();
    history.backTo(first);
    expect(history.compare([1, 2])).toEqual({ lost: [], wrong: [2] });
    expect(history.compare([])).toEqual({ lost: [1], wrong: [] });
  });

  test("goes back along what it has come, not to what it has left", () => {
    const history = new History();
    history.write(1, true);
    const first = history.moment();
    history.write(2, true);
    const left = history.moment();
    history.backTo(first);
    history.write(3, true);
    const third = history.moment();
    history.write(4, true);
    history.backTo(left);
    expect(history.compare([1])).toEqual(NOTHING);
    history.backTo(third);
    expect(history.compare([1])).toEqual(NOTHING);
  });

  test("is again what it was in a backup, also of what was left", () => {
    const history = new History();
    history.write(1, true);
    const first = history.moment();
    const begin = history.now();
    history.write(2, true);
    history.write(3, true);
    const taken = history.snapshot(begin);
    history.moment();
    history.write(4, true);
    history.backTo(first);
    history.write(5, true);
    history.restore(taken);
    for (const found of [[1], [1, 2], [1, 2, 3]]) {
      history.restore(taken);
      expect(history.compare(found)).toEqual(NOTHING);
    }
    history.restore(taken);
    expect(history.compare([1, 3])).toEqual({ lost: [2], wrong: [] });
    history.restore(taken);
    expect(history.compare([2, 4])).toEqual({ lost: [1], wrong: [4] });
  });

  test("has another table by a dump, and the one before at a moment before", () => {
    const history = new History();
    history.write(1, true);
    const dump = history.snapshot(history.now());
    history.write(2, true);
    const before = history.moment();
    history.replaceRows(dump);
    const after = history.moment();
    expect(history.compare([1])).toEqual(NOTHING);
    history.write(3, true);
    history.backTo(after);
    expect(history.compare([1, 3])).toEqual({ lost: [], wrong: [3] });
    history.backTo(before);
    expect(history.compare([])).toEqual({ lost: [1, 2], wrong: [] });
  });

  test("may lose the end of its log with its data, and nothing out of the middle", () => {
    const lost = () => {
      const history = new History();
      for (const id of [1, 2, 3, 4]) history.write(id, true);
      history.lose((id) => id > 2);
      return history;
    };
    for (const found of [
      [1, 2],
      [1, 2, 3],
      [1, 2, 3, 4],
    ])
      expect(lost().compare(found)).toEqual(NOTHING);
    expect(lost().compare([1])).toEqual({ lost: [2], wrong: [] });
    expect(lost().compare([1, 2, 4])).toEqual({ lost: [3], wrong: [] });
  });
});
