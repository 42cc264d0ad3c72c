import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { withLock } from "../../operations/lock.ts";

// Run by the lock's tests: `hold` keeps the lock until standard input ends; `count FILE TIMES` adds to a number that
// comes out wrong as soon as two processes work at once.
const [lock = "", word, counter = "", times = "0"] = process.argv.slice(2);

if (word === "hold") {
  await withLock(
    lock,
    async () => {
      process.stdout.write("held\n");
      process.stdin.resume();
      await once(process.stdin, "end");
    },
    { purpose: "holding" },
  );
} else {
  for (let round = 0; round < Number(times); round += 1) {
    await withLock(lock, async () => {
      const before = Number(await readFile(counter, "utf8"));
      await writeFile(counter, String(before + 1));
    });
  }
}
