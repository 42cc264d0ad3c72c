/** A container that does nothing by itself and is worked in; it ends a day after whoever made it was killed. */
export const WORK_CONTAINER = {
  User: "postgres",
  Entrypoint: ["sleep", "86400"],
  Cmd: [] as string[],
};

/** What such a container may do: nothing beyond its own user's files. */
export const CONFINED = { CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges:true"], Init: true };
