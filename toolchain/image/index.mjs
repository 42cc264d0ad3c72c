export { assemblePostgresImage, postgresImageIdentity } from "./assemble.mjs";
export { isImagePresent, loadImage } from "./load.mjs";
