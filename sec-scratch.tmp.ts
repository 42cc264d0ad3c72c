import { TestProject } from "/work/main/test/support/project.ts";
const p = await TestProject.create({});
console.log(p.directory, p.stack);
let t=Date.now();
const r = await p.up();
console.log(r.code, r.output, Date.now()-t);
console.log(JSON.stringify((p as any), null, 1));
