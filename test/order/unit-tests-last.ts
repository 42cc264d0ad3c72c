import { sep } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Short tests fill the end of a run, where one with a server would keep a single core at work. */
export class UnitTestsLast extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return [...sorted.filter((file) => !isUnitTest(file)), ...sorted.filter(isUnitTest)];
  }
}

function isUnitTest({ moduleId }: TestSpecification): boolean {
  return moduleId.includes(`${sep}test${sep}unit${sep}`);
}
