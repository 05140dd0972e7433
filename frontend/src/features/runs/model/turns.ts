/**
 * Cards come into the page one after the other, as many as a frame has time for: a screenful at
 * once would hold scrolling up. Must not know what comes.
 */
const BUDGET_MS = 8;

const waiting = new Set<() => void>();
let asked = false;

function run(): void {
  const until = performance.now() + BUDGET_MS;
  for (const come of waiting) {
    waiting.delete(come);
    come();
    if (performance.now() > until) break;
  }
  asked = waiting.size > 0;
  if (asked) requestAnimationFrame(run);
}

/** Calls `come` when its turn is there, at the earliest in the next frame; returns how to leave. */
export function inTurn(come: () => void): () => void {
  waiting.add(come);
  if (!asked) {
    asked = true;
    requestAnimationFrame(run);
  }
  return () => waiting.delete(come);
}
