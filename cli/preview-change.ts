import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { EXIT, UsageError } from "./exit-codes.ts";
import { interruptionSignal } from "./interruption.ts";
import { taught } from "./options.ts";
import { note, print } from "./print.ts";

interface PreviewChangeCommandOptions {
  readonly base: string;
  readonly head: string;
  readonly stacks: string;
  readonly output?: string;
}

/** `pgstack preview-change`. */
export function previewChangeCommand(): Command {
  const command = new Command("preview-change")
    .description(
      "What a change does to the stacks, as one comment: the base is brought up in throw-away stacks, the head previewed on them. No live stack and no credential is used.",
    )
    .option("--base <commit>", "what the change is made to", "origin/main")
    .option("--head <commit>", "the change", "HEAD")
    .option("--stacks <names>", "whose settings to try, separated by commas", "dev,staging,prod")
    .option("--output <file>", "write the comment there. Default: print it")
    .action(async ({ base, head, stacks, output }: PreviewChangeCommandOptions) => {
      const names = stacks.split(",").map((name) => name.trim());
      if (names.some((name) => !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(name))) {
        throw new UsageError(`--stacks ${JSON.stringify(stacks)}: names separated by commas, as in dev,prod`);
      }
      const { checkOut } = await import("./preview-change/checkouts.ts");
      const { comment, isRefused } = await import("./preview-change/comment.ts");
      const { previewChange } = await import("./preview-change/stack-preview.ts");
      const signal = interruptionSignal();
      const checkouts = await checkOut(base, head);
      try {
        const reports = [];
        for (const name of names)
          reports.push(await previewChange(checkouts, name, { onStep: note, signal }));
        const text = comment(checkouts.base.commit, checkouts.head.commit, reports, checkouts.changedCode);
        if (output === undefined) print(text);
        else await writeFile(output, text);
        if (reports.some(isRefused)) process.exitCode = EXIT.failed;
      } finally {
        await checkouts.remove();
      }
    });
  return taught(command, [
    ["pgstack preview-change --base main", "what the present commit does to dev, staging and prod"],
    ["pgstack preview-change --stacks prod --output comment.md", "for a comment on a pull request"],
  ]);
}
