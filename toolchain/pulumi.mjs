import { runMain } from "./main.mjs";
import { runAttached } from "./run.mjs";
import { saveOwnStates } from "./state-backups.mjs";

// Called by toolchain/bin/pulumi for what may change a state: the real program and its arguments.
await runMain(async () => {
  const [program = "pulumi", ...words] = process.argv.slice(2);
  await saveOwnStates(process.env);
  const code = await runAttached(program, words);
  await saveOwnStates(process.env);
  return code;
});
