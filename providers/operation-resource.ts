import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import * as pulumi from "@pulumi/pulumi";

/**
 * A dynamic resource whose provider is a module of this project.
 *
 * `pulumi.dynamic.Resource` turns the provider's functions into text by a closure serializer, which loads the
 * TypeScript compiler at every run and puts what it captured into the state. Here the state holds a fixed line
 * that loads the module by its place relative to the program's folder: nothing is captured, a moved checkout
 * still destroys, and a run starts sooner. The module must export `provider`.
 *
 * Source: https://www.pulumi.com/docs/iac/concepts/providers/dynamic-providers/
 */
export abstract class OperationResource extends pulumi.CustomResource {
  protected constructor(
    type: string,
    module: string,
    name: string,
    properties: pulumi.Inputs,
    options: pulumi.CustomResourceOptions,
  ) {
    super(
      `pulumi-nodejs:dynamic/pgstack:${type}`,
      name,
      { ...properties, __provider: providerLoader(module) },
      options,
    );
  }
}

/** The text that the dynamic provider host evaluates to get at a provider module. */
export function providerLoader(module: string, programDirectory = process.cwd()): string {
  const place = relative(programDirectory, fileURLToPath(module)).replaceAll("\\", "/");
  return `exports.handler = () => require(require("node:path").resolve(${JSON.stringify(place)})).provider;`;
}
