export { assemblePostgresImage, postgresImageIdentity } from "./assemble.mjs";
export { buildDerivedImage, derivedImageIdentity } from "./derived.mjs";
export { isImagePresent, loadImage } from "./load.mjs";
