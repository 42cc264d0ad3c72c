import type Docker from "dockerode";
import { describe, expect, test } from "vitest";
import { ContainerNotRunning, exitCodeOf } from "../../operations/execute.ts";

const TARGET = { stack: "dev", container: "pgstack-dev", port: 5432, database: "app" };

/** A program that the engine tells this of, one answer after the other. */
function program(answers: readonly (number | null | Error)[]): Docker.Exec {
  const rest = [...answers];
  const inspect = async () => {
    const answer = rest.shift() ?? null;
    if (answer instanceof Error) throw answer;
    return { ExitCode: answer };
  };
  return { inspect } as unknown as Docker.Exec;
}

describe("P4 how a program in a container ended", () => {
  test("P4 its exit code, also where that is known a moment later than its output's end", async () => {
    expect(await exitCodeOf(TARGET, program([0]))).toBe(0);
    expect(await exitCodeOf(TARGET, program([null, null, 3]))).toBe(3);
  });

  test("P4 a program that the engine has forgotten went with its container", async () => {
    const forgotten = Object.assign(new Error("(HTTP code 404) no such exec"), { statusCode: 404 });
    const outcome = exitCodeOf(TARGET, program([null, forgotten]));
    await expect(outcome).rejects.toThrow(ContainerNotRunning);
    await expect(outcome).rejects.toThrow("container pgstack-dev was stopped while a program ran in it");
  });

  test("P4 another error of the engine is told as it is", async () => {
    const away = Object.assign(new Error("the engine is away"), { code: "ECONNREFUSED" });
    await expect(exitCodeOf(TARGET, program([away]))).rejects.toBe(away);
  });
});
