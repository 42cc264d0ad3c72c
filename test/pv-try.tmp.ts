import { TestProject } from "/work/main/test/support/project.ts";
const p = await TestProject.create({publish:false});
const t=()=>performance.now();
try {
 for (const args of [["up","--yes","--skip-preview"],["up","--yes","--skip-preview"],["preview","--refresh","--expect-no-changes"],["destroy","--yes"]]) {
  const s=t(); const r = await p.pulumi(args); console.log(args.join(" "), r.code, Math.round(t()-s)); if (r.code!==0||process.env.V) console.log(r.output);
 }
} finally { await p.remove(); }
process.exit(0);
