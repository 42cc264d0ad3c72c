import { randomBytes } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { dockerEngine } from "../../../operations/docker.ts";
import { executeInContainer } from "../../../operations/execute.ts";
import { TEST_IMAGE } from "../../support/image.ts";
import type { LiveStack } from "../../support/security/live-stack.ts";

const docker = dockerEngine();

/** Listens where the resolver asks, in the server's own network namespace, and prints the bytes of what it hears. */
const LISTENER = `const socket = require("node:dgram").createSocket("udp4");
socket.on("message", (message) => console.log(message.toString("latin1")));
socket.bind(53, "127.0.0.1", () => console.log("listening"));`;

/**
 * What the server's resolver tells the outside.
 *
 * @param live A stack that publishes its port.
 */
export function names(live: () => LiveStack): void {
  describe("names asked for in a published server (B13)", () => {
    let stack: LiveStack;

    beforeAll(() => {
      stack = live();
    });

    test("go no further than the container, and those of the stack's network are answered", async () => {
      const name = stack.target.container;
      const listener = await docker.createContainer({
        Image: TEST_IMAGE,
        User: "0",
        Entrypoint: ["node", "-e", LISTENER],
        HostConfig: { NetworkMode: `container:${name}` },
      });
      try {
        await listener.start();
        const heard = async () => String(await listener.logs({ stdout: true, stderr: true }));
        await expect.poll(heard, { timeout: 20_000 }).toContain("listening");
        const secret = `s${randomBytes(8).toString("hex")}`;
        const resolve = (host: string) =>
          executeInContainer(stack.target, {
            command: ["getent", "hosts", host],
            timeoutMilliseconds: 30_000,
          });
        expect((await resolve(`${secret}.example.com`)).exitCode).not.toBe(0);
        // Docker asks every server that it knows for the container: had there been another one, this would not be all.
        await expect.poll(heard, { timeout: 20_000 }).toContain(secret);
        const { stdout } = await executeInContainer(stack.target, { command: ["cat", "/etc/resolv.conf"] });
        expect(stdout.match(/ExtServers: .*/)?.[0]).toBe("ExtServers: [127.0.0.1]");
        expect((await resolve("postgres")).exitCode).toBe(0);
      } finally {
        await listener.remove({ force: true, v: true });
      }
      const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
      expect(preview.code, preview.output).toBe(0);
    });
  });
}
