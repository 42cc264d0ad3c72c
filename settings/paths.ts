import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute, normalize, parse, resolve } from "node:path";
import { type Looked, value } from "./values.ts";

const LONGEST_PATH = 1_024;
/** An initial script is read whole and sent in one go. */
const LARGEST_SQL_BYTES = 10 * 1024 ** 2;

/** A folder, made when it is not there: relative to the project or absolute. */
export function directory() {
  return value((given) => {
    const right = "a folder, relative to the project or absolute";
    if (typeof given !== "string" || given.trim() === "") return { right };
    if (given.length > LONGEST_PATH) return { right: `${right}, of at most ${LONGEST_PATH} characters` };
    if (given.startsWith("~")) return { right: `${right}: ~ is not put in full here` };
    const path = normalize(given).replace(/(?<=.)[/\\]+$/, "");
    if (path === "." || path === parse(resolve(path)).root) {
      return { right: `${right}, of its own` };
    }
    return { fit: path };
  });
}

/** A folder on the Docker host, which may be another machine: only its form can be looked at. */
export function hostDirectory() {
  return value((given) => {
    const right = "an absolute path of a folder on the Docker host, of its own";
    if (typeof given !== "string" || !given.startsWith("/") || given.length > LONGEST_PATH) return { right };
    if (/[\p{Cc}:]/u.test(given)) return { right: `${right}, without colons and control characters` };
    const path = normalize(given).replace(/(?<=.)\/+$/, "");
    return path === "/" ? { right } : { fit: path };
  });
}

/** The path of a file inside the project; whether it is there is looked at by `lookAtSqlFile`. */
export function projectFile() {
  return value((given) => {
    const right = "the path of a file inside the project, relative to it";
    if (typeof given !== "string" || given === "" || given.length > LONGEST_PATH) return { right };
    const path = normalize(given);
    if (isAbsolute(path) || path === ".." || path.startsWith("../")) return { right };
    return { fit: path };
  });
}

/** Whether an initial script can be read and is of a size that can be sent. */
export function lookAtSqlFile(path: string, projectDirectory: string): Looked<string> {
  const whole = resolve(projectDirectory, path);
  try {
    const found = statSync(whole, { throwIfNoEntry: false });
    if (found === undefined) return { right: "a file that exists in the project" };
    if (!found.isFile()) return { right: "a file and not a folder" };
    if (found.size > LARGEST_SQL_BYTES) {
      return { right: `a file of at most ${LARGEST_SQL_BYTES} bytes; it has ${found.size}` };
    }
    accessSync(whole, constants.R_OK);
  } catch {
    return { right: "a file that this user may read" };
  }
  return { fit: path };
}
