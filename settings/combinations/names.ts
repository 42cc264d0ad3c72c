import { agentVolume, scratchVolume, socketVolume } from "../../operations/derived-volumes.ts";
import type { Combination } from "../combination.ts";
import { LONGEST_DOCKER_NAME } from "../default-names.ts";
import { dockerName } from "../names.ts";
import { lookAtSqlFile } from "../paths.ts";
import { mismatch, type Problem } from "../problem.ts";

/** Names that must differ, names that the stack's own name makes too long, and files that must be there. */
export function nameProblems({ settings, given, context }: Combination): Problem[] {
  const problems: Problem[] = [];
  const distinct = (keys: readonly ("administratorRole" | "applicationRole" | "readonlyRole")[]): void => {
    keys.forEach((key, index) => {
      const twin = keys.slice(0, index).find((other) => settings[other] === settings[key]);
      if (twin !== undefined)
        problems.push(mismatch([key, twin], settings[key], `another name than ${twin}`));
    });
  };
  distinct(["administratorRole", "applicationRole", "readonlyRole"]);
  if (settings.configurationVolumeName === settings.dataVolumeName) {
    problems.push(
      mismatch(
        ["configurationVolumeName", "dataVolumeName"],
        settings.configurationVolumeName,
        "another name than dataVolumeName",
      ),
    );
  }
  const volumes = ["dataVolumeName", "configurationVolumeName"] as const;
  const taken = volumes.find((key) => settings[key] === settings.backupVolumeName);
  if (taken !== undefined) {
    problems.push(
      mismatch(["backupVolumeName", taken], settings.backupVolumeName, `another name than ${taken}`),
    );
  }
  const own = [agentVolume, socketVolume, scratchVolume].map((volume) => volume(settings.containerName));
  for (const key of [...volumes, "backupVolumeName"] as const) {
    if (own.includes(settings[key])) {
      const right = "another name: the stack makes a volume of this name from containerName";
      problems.push(mismatch([key, "containerName"], settings[key], right));
    }
  }
  problems.push(...stackNameProblems({ settings, given, context }));
  settings.initSql.forEach((path, index) => {
    const looked = lookAtSqlFile(path, context.projectDirectory);
    if ("right" in looked) problems.push(mismatch([`initSql.${index}`], path, looked.right));
  });
  settings.verificationSql.forEach((path, index) => {
    const looked = lookAtSqlFile(path, context.projectDirectory);
    if ("right" in looked) problems.push(mismatch([`verificationSql.${index}`], path, looked.right));
  });
  return problems;
}

const DEFAULTS = [
  "containerName",
  "networkName",
  "dataVolumeName",
  "configurationVolumeName",
  "backupVolumeName",
] as const;

/** One line for a stack's name that is too long, however many of the names made from it are. */
function stackNameProblems({ settings, given, context }: Combination): Problem[] {
  const wrong = DEFAULTS.filter(
    (key) => given[key] === undefined && !dockerName().safeParse(settings[key]).success,
  );
  if (wrong.length === 0) return [];
  const { stack } = context;
  const excess = Math.max(...wrong.map((key) => settings[key].length)) - LONGEST_DOCKER_NAME;
  const keys = wrong.map((key) => `pgstack:${key}`).join(", ");
  const text = `the stack's name ${JSON.stringify(stack)} has ${stack.length} letters; at most ${stack.length - excess} are right, since names in Docker are made from it: take a shorter one, or set ${keys}`;
  return [{ keys: [], text }];
}
