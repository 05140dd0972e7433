/** The runs that this page knows, the filter, and the state of the live connection. */
import { create } from 'zustand';
import type { Filter } from '../api/jobs';
import type { Run } from './run';
import type { Phase } from './stream';

export interface RunsState {
  runs: Run[];
  filter: Filter;
  /** Where the next page begins; null when the end is loaded. */
  cursor: string | null;
  loaded: boolean;
  /** There have been runs since the page was opened, whatever is looked for at the moment. */
  some: boolean;
  loading: boolean;
  phase: Phase;
  everLive: boolean;
}

export const useRuns = create<RunsState>(() => ({
  runs: [],
  filter: {},
  cursor: null,
  loaded: false,
  some: false,
  loading: false,
  phase: 'connecting',
  everLive: false,
}));

export function update(change: (runs: Run[]) => Run[]): void {
  useRuns.setState((s) => ({ runs: change(s.runs) }));
}

export function matches(run: Pick<Run, 'status' | 'mode' | 'prompt'>, filter: Filter): boolean {
  return (
    (!filter.status || run.status === filter.status) &&
    (!filter.mode || run.mode === filter.mode) &&
    (!filter.q || hasWords(run.prompt, filter.q))
  );
}

function hasWords(prompt: string, words: string): boolean {
  const text = prompt.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** Whether only some of the runs are wanted. */
export const isNarrowed = (filter: Filter) =>
  Boolean(filter.status ?? filter.mode) || Boolean(filter.q);
