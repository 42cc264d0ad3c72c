import { readConfiguration } from "./configuration.ts";
import { runForCaller } from "./events.ts";
import { Refusal } from "./failure.ts";
import { OPERATIONS } from "./operations.ts";

const [mode, ...words] = process.argv.slice(2);
const [name = "", parameters = "{}"] = words;

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
  case "relay": {
    const { relay } = await import("./relay.ts");
    const [a = "", b = "", c = "", d = ""] = words;
    process.exit(
      await relay([
        [a, b],
        [c, d],
      ]),
    );
    break;
  }
  default:
    console.error(
      "usage: main.ts serve | main.ts relay <socket> <its target> <socket> <its target> | main.ts run <operation> [<parameters as JSON>]",
    );
    process.exit(2);
}
