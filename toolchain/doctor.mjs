import { examineEngine } from "./doctor/engine.mjs";
import { examineMachine } from "./doctor/machine.mjs";
import { examineStacks } from "./doctor/stacks.mjs";
import { examineTools } from "./doctor/tools.mjs";
import { readRecord } from "./environment.mjs";

/**
 * One thing that was looked at.
 *
 * @typedef {object} Finding
 * @property {string} name
 * @property {"ok" | "warning" | "failed"} status
 * @property {string} message one line
 * @property {string} [mend] what to do about it, one line
 */

/**
 * Looks at everything that this project needs, prints what it finds and how to mend it. Needs nothing but Node.js, so
 * that it works when the set-up does not.
 *
 * @param {{stack?: string, json: boolean}} options
 * @returns {Promise<number>} exit code: 1 when something must be mended
 */
export async function doctor({ stack, json }) {
  const record = await readRecord();
  const groups = await Promise.all([
    guarded("machine", () => examineMachine()),
    guarded("engine", () => examineEngine(record)),
    guarded("tools", () => examineTools(record)),
    guarded("stacks", () => examineStacks(record, stack)),
  ]);
  const findings = groups.flat();
  const failed = findings.some(({ status }) => status === "failed");
  if (json) console.log(JSON.stringify({ status: worst(findings), findings }, undefined, 2));
  else printFindings(findings);
  return failed ? 1 : 0;
}

/**
 * An examination that fails is a finding, not the end.
 *
 * @param {string} name
 * @param {() => Promise<Finding[]>} examine
 * @returns {Promise<Finding[]>}
 */
async function guarded(name, examine) {
  try {
    return await examine();
  } catch (error) {
    const message = `could not be looked at: ${error instanceof Error ? error.message : error}`;
    return [{ name, status: "failed", message }];
  }
}

/** @param {Finding[]} findings */
function worst(findings) {
  if (findings.some(({ status }) => status === "failed")) return "failed";
  return findings.some(({ status }) => status === "warning") ? "warning" : "ok";
}

/** @param {Finding[]} findings */
function printFindings(findings) {
  const width = Math.max(...findings.map(({ name }) => name.length));
  for (const { name, status, message, mend } of findings) {
    console.log(`${coloured(status)}  ${name.padEnd(width)}  ${message}`);
    if (mend !== undefined && status !== "ok") console.log(`${" ".repeat(width + 11)}to mend: ${mend}`);
  }
  const count = findings.filter(({ status }) => status !== "ok").length;
  console.log(
    count === 0
      ? "\nEverything is in order."
      : `\n${count} of ${findings.length} findings ask for attention.`,
  );
}

/** @param {Finding["status"]} status */
function coloured(status) {
  const word = status.padEnd(7);
  const plain = process.stdout.isTTY !== true || (process.env.NO_COLOR ?? "") !== "";
  const code = { ok: 32, warning: 33, failed: 31 }[status];
  return plain ? word : `\x1b[${code}m${word}\x1b[39m`;
}
