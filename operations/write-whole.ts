export { syncDirectory, writeWhole } from "../toolchain/write-whole.mjs";
