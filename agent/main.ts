import { readConfiguration } from "./configuration.ts";
import { runForCaller } from "./events.ts";
import { Refusal } from "./failure.ts";
import { OPERATIONS } from "./operations.ts";

const [mode, name = "", parameters = "{}"] = process.argv.slice(2);

switch (mode) {
  case "run":
    process.exit(
      await runForCaller(async (context) => {
        const operation = OPERATIONS.get(name);
        if (operation === undefined) throw new Refusal(`the agent knows no operation ${name}`);
        return operation(await readConfiguration(), JSON.parse(parameters), context);
      }),
    );
    break;
  case "serve": {
    const { serve } = await import("./serve.ts");
    process.exit(await serve(await readConfiguration()));
    break;
  }
  default:
    console.error("usage: main.ts serve | main.ts run <operation> [<parameters as JSON>]");
    process.exit(2);
}
