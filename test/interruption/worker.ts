// Ctrl-C reaches the whole process group: what runs the tests is told by vitest, and must live to put things away.
process.on("SIGINT", () => {});
