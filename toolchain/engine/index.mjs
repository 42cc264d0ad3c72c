export { callEngine } from "./engine-api.mjs";
export { installEngine } from "./install.mjs";
export { startEngine } from "./start.mjs";
export { engineStatus } from "./status.mjs";
export { removeEngine, stopEngine } from "./stop.mjs";
