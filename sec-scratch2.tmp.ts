import { dockerEngine } from "/work/main/operations/docker.ts";
const i = await dockerEngine().getContainer(process.argv[2]).inspect();
console.log(JSON.stringify(i,null,1));
const i2 = await dockerEngine().info();
console.log(JSON.stringify(i2,null,1));
