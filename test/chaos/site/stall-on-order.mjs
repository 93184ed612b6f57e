// Loaded into a node before its program: told `{ stallMs }` by its parent, it does nothing else for so long. The node's own
// code is as it is, and ends as it would.
process.on('message', ({ stallMs }) => {
  const untilMs = performance.now() + stallMs;
  while (performance.now() < untilMs);
});
process.channel?.unref();
