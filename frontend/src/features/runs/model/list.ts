/** The list of runs, newest first, and how news changes it. Pure: every function gives a new list. */
import type { ErrorView, JobView, ProgressView, PublicState } from '@/api/types';
import { hasEnded, isOnTheWay, type Run, runOf } from './run';

export interface StateNews {
  jobId: string;
  status: PublicState;
  at: string;
  error: ErrorView | null;
}

function newer(a: Run, b: Run): number {
  // Runs on their way have no place in the gateway's order yet: they come first.
  const first = Number(isOnTheWay(b)) - Number(isOnTheWay(a));
  if (first !== 0) return first;
  return b.createdAt < a.createdAt ? -1 : Number(b.createdAt > a.createdAt);
}

/**
 * The list with these answers of the gateway. An answer older than what is already known (the
 * list may lag behind the stream) changes nothing.
 */
export function merged(runs: readonly Run[], jobs: readonly JobView[]): Run[] {
  const fresh = new Map(jobs.map((job) => [job.job_id, runOf(job)]));
  const kept = runs.map((run) => {
    const answer = run.jobId ? fresh.get(run.jobId) : undefined;
    if (!answer || !run.jobId) return run;
    fresh.delete(run.jobId);
    return isStale(run, answer)
      ? { ...run, job: run.job ?? answer.job }
      : { ...answer, key: run.key };
  });
  return [...kept, ...fresh.values()].sort(newer);
}

function isStale(known: Run, answer: Run): boolean {
  return Date.parse(answer.updatedAt) < Date.parse(known.updatedAt);
}

/** The list after a state was told on the stream; unknown jobs are not added here. */
export function told(runs: readonly Run[], news: StateNews): Run[] {
  return runs.map((run) => {
    if (run.jobId !== news.jobId || Date.parse(news.at) < Date.parse(run.updatedAt)) return run;
    const ended = hasEnded(news);
    return {
      ...run,
      status: news.status,
      updatedAt: news.at,
      error: news.error,
      position: news.status === 'queued' ? run.position : null,
      progress: news.status === run.status ? run.progress : null,
      cancelRequested: run.cancelRequested && !ended,
    };
  });
}

export function progressed(runs: readonly Run[], jobId: string, progress: ProgressView): Run[] {
  return runs.map((run) => {
    if (run.jobId !== jobId || hasEnded(run)) return run;
    // What the engine said last may come after its end was told.
    if (run.status === 'collecting_outputs') {
      return progress.phase === 'collecting' ? { ...run, progress } : run;
    }
    // Handed to an engine, but behind the video that it makes now.
    if (progress.phase === 'waiting' && run.status !== 'executing') return { ...run, progress };
    return { ...run, status: 'executing', progress, position: null };
  });
}

export function without(runs: readonly Run[], key: string): Run[] {
  return runs.filter((run) => run.key !== key && run.jobId !== key);
}

export function started(runs: readonly Run[], run: Run): Run[] {
  return [run, ...without(runs, run.key)].sort(newer);
}

export function patched(runs: readonly Run[], key: string, change: Partial<Run>): Run[] {
  // The stream may have told of the job before the answer to its submit came.
  const known = change.jobId
    ? runs.find((run) => run.jobId === change.jobId && run.key !== key)
    : undefined;
  return runs
    .filter((run) => run !== known)
    .map((run) => (run.key === key ? { ...run, ...change, ...known, key } : run));
}

/** Whether a job of this age belongs to the part of the list that is loaded. */
export function belongs(runs: readonly Run[], createdAt: string, whole: boolean): boolean {
  if (whole || runs.length === 0) return true;
  return createdAt >= (runs.at(-1)?.createdAt ?? '');
}
