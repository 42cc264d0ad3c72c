import type { Combination } from "../combination.ts";
import { dockerName } from "../names.ts";
import { lookAtSqlFile } from "../paths.ts";
import { mismatch, type Problem } from "../problem.ts";

const LONGEST = "so name it: the default is made from the stack's name";

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
  for (const key of ["containerName", "networkName", ...volumes, "backupVolumeName"] as const) {
    if (given[key] === undefined && !dockerName().safeParse(settings[key]).success) {
      problems.push(
        mismatch([key], settings[key], `at most 63 letters, digits, dots and dashes, ${LONGEST}`),
      );
    }
  }
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
