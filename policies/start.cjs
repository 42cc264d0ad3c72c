// Pulumi's runner of policy packs has ts-node compile what is required; what is imported Node.js runs by itself.
"use strict";
module.exports = () => import("./index.ts");
