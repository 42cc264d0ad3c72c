import { runMain } from "./main.mjs";
import { saveOwnStates } from "./state-backups.mjs";

// Called around plain `pulumi` in a shell that has `pgstack env`.
await runMain(async () => {
  await saveOwnStates(process.env);
  return 0;
});
