// Preloaded into Pulumi's Node.js processes. Its SDK loads at every start what this program has no use for: the TypeScript
// compiler and npm's resolver, for turning functions into text; its own automation; tracing; a reader of source maps, for
// compiled programs. So does the Docker client with ssh and BuildKit. The last of Pulumi's is not loaded at all, the others
// when they are first used. That is half of what a process takes to start.
"use strict";

/** @type {{_load(request: string, parent: unknown, isMain: boolean): unknown}} */
// @ts-expect-error Node.js documents no type for what every hook of require() replaces.
const Module = require("node:module");

const LAZY = new Set([
  ...["@npmcli/arborist", "normalize-package-data", "../../typescript-shim", "./automation"],
  ...["@opentelemetry/api", "semver", "./session", "./ssh"],
]);
/** Taken apart where they are required: so each of their names is lazy by itself. */
const LAZY_NAMES =
  /^@opentelemetry\/(resources|sdk-trace-base|sdk-trace-node|exporter-zipkin|instrumentation.*)$/;
const UNUSED = "source-map-support/register";

/** Pulumi's runner of policy packs loads these for every pack; what is imported, as ours is, Node.js runs by itself. */
const COMPILER = /(^|[\\/])(ts-node|typescript)(@[\d.]+)?([\\/]typescript\.js)?$/;
const RUNNER_OF_POLICIES = /[\\/]@pulumi[\\/]pulumi[\\/](cmd[\\/]run-policy-pack[\\/]run|tsutils)\.js$/;
const noCompiler = { version: "5.0.0", register: () => {} };

/** Pulumi ends these by SIGINT, at which Node.js forgets what it has compiled, and would compile it at each run again. */
const ENDED_BY_SIGNAL = /[\\/]cmd[\\/](dynamic-provider|run-policy-pack)[\\/]index\.js$/;
if (ENDED_BY_SIGNAL.test(process.argv[1] ?? ""))
  process.once("SIGINT", () => {
    require("node:module").flushCompileCache?.();
    process.kill(process.pid, "SIGINT");
  });

/** @param {unknown} parent */
function isRunnerOfPolicies(parent) {
  return RUNNER_OF_POLICIES.test(/** @type {{filename?: string}} */ (parent)?.filename ?? "");
}

const loadNow = Module._load;
Module._load = function loadLazily(request, parent, isMain) {
  if (request === UNUSED) return {};
  if (isRunnerOfPolicies(parent) && COMPILER.test(request)) return noCompiler;
  const load = () => loadNow.call(Module, request, parent, isMain);
  if (LAZY.has(request)) return whenUsed(load);
  if (LAZY_NAMES.test(request)) return namesWhenUsed(load);
  return load();
};

/**
 * @param {() => any} load
 * @returns {any}
 */
function whenUsed(load) {
  /** @type {any} */
  let loaded;
  const value = () => {
    loaded ??= load();
    return loaded;
  };
  return new Proxy(() => {}, {
    // Marked as an ES module, or its names would be copied, and so loaded, at once.
    get: (_, name) =>
      name === "__esModule" ? true : name === "default" ? defaultOf(value()) : value()[name],
    apply: (_, receiver, values) => Reflect.apply(value(), receiver, values),
    construct: (_, values) => Reflect.construct(value(), values),
  });
}

/**
 * @param {any} loaded
 * @returns {any}
 */
function defaultOf(loaded) {
  return loaded.__esModule ? loaded.default : loaded;
}

/**
 * @param {() => any} load
 * @returns {any}
 */
function namesWhenUsed(load) {
  return new Proxy({}, { get: (_, name) => (name === "__esModule" ? true : whenUsed(() => load()[name])) });
}
