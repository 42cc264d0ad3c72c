import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fullReference, shortReference, withSection } from "./reference.ts";

// Run by `npm run reference` after a change of the schema; a test fails while the files are behind it.
const project = join(import.meta.dirname, "..");
const sections = { "README.md": shortReference(), "docs/settings.md": fullReference() };
for (const [file, section] of Object.entries(sections)) {
  const path = join(project, file);
  if (!existsSync(path)) continue;
  writeFileSync(path, withSection(readFileSync(path, "utf8"), section, file));
  console.log(`${file} is up to date`);
}
