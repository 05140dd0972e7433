/** Keeps the draft in the browser and brings it back after a reload. */
import { attachKept, recall } from './attaching';
import { read, written } from './draft';
import { useComposer } from './store';

const KEY = 'animatrix.draft.1';
const WRITE_AFTER_MS = 300;

export function restoreDraft(): void {
  const kept = read(localStorage.getItem(KEY));
  useComposer.getState().load(kept);
  void attachKept(kept.attachments);
  recall(kept.unfinished);
}

/** An empty desk, also for the page that is opened next. */
export function forgetDraft(): void {
  useComposer.getState().setAttachments(() => []);
  useComposer.getState().load(read(null));
}

/** Writes the draft shortly after it changes; returns how to stop. */
export function keepDraft(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const write = () => {
    const state = useComposer.getState();
    localStorage.setItem(KEY, written(state, state.attachments));
  };
  const stop = useComposer.subscribe(() => {
    clearTimeout(timer);
    timer = setTimeout(write, WRITE_AFTER_MS);
  });
  const leaving = () => {
    clearTimeout(timer);
    write();
  };
  window.addEventListener('pagehide', leaving);
  return () => {
    stop();
    clearTimeout(timer);
    window.removeEventListener('pagehide', leaving);
  };
}
