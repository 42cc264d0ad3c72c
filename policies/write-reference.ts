import { readFile, writeFile } from "node:fs/promises";
import { withRules } from "./reference.ts";

// Run by `npm run reference` after a change of the rules; a test fails while the page is behind them.
const file = new URL("../docs/policies.md", import.meta.url);
await writeFile(file, withRules(await readFile(file, "utf8")));
console.log("docs/policies.md is up to date");
