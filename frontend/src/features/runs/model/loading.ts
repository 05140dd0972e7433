/** Reads runs from the gateway into the store: pages, single jobs, everything after a gap. */
import { isSignedOut, OfflineError, ProblemError } from '@/api/http';
import type { JobView } from '@/api/types';
import { type Filter, getJob, listJobs } from '../api/jobs';
import { belongs, merged, without } from './list';
import { hasEnded, isOnTheWay, type Run, runOf } from './run';
import { matches, update, useRuns } from './store';

const FOLLOWED_AT_MOST = 12;

/** Lost connections are shown by the stream; anything else is a fault and stays one. */
function unlessOffline(thrown: unknown): void {
  if (!(thrown instanceof OfflineError || isSignedOut(thrown))) throw thrown;
}

/** Cards that the new list has too stay in their places, with a menu that is open on one. */
export async function loadFirst(filter: Filter): Promise<void> {
  useRuns.setState((s) => ({
    filter,
    loading: true,
    loaded: false,
    cursor: null,
    runs: s.runs.filter((run) => isOnTheWay(run) || matches(run, filter)),
  }));
  try {
    const page = await listJobs(filter, null);
    if (useRuns.getState().filter !== filter) return;
    update((runs) => merged(withinPage(runs, page.jobs), page.jobs));
    useRuns.setState((s) => ({
      cursor: page.next_cursor,
      loaded: true,
      some: s.some || page.jobs.length > 0,
    }));
  } catch (thrown) {
    unlessOffline(thrown);
  } finally {
    if (useRuns.getState().filter === filter) useRuns.setState({ loading: false });
  }
}

/** What the newest page names, and what came after it was read. */
function withinPage(runs: readonly Run[], jobs: JobView[]): Run[] {
  const seen = new Set(jobs.map((job) => job.job_id));
  const newest = jobs[0]?.created_at ?? '';
  return runs.filter(
    (run) => isOnTheWay(run) || (run.jobId && seen.has(run.jobId)) || run.createdAt > newest,
  );
}

export async function loadMore(): Promise<void> {
  const { filter, cursor, loading } = useRuns.getState();
  if (loading || cursor === null) return;
  useRuns.setState({ loading: true });
  try {
    const page = await listJobs(filter, cursor);
    if (useRuns.getState().filter !== filter) return;
    update((runs) => merged(runs, page.jobs));
    useRuns.setState({ cursor: page.next_cursor });
  } catch (thrown) {
    unlessOffline(thrown);
  } finally {
    if (useRuns.getState().filter === filter) useRuns.setState({ loading: false });
  }
}

/** Reads again what may have changed while nobody told: the newest page and all that still lives. */
export async function reconcile(): Promise<void> {
  const { filter, loaded } = useRuns.getState();
  if (!loaded) {
    await loadFirst(filter);
    return;
  }
  try {
    const page = await listJobs(filter, null);
    if (useRuns.getState().filter !== filter) return;
    const seen = new Set(page.jobs.map((job) => job.job_id));
    forgetDeleted(page.jobs, seen);
    update((runs) => merged(runs, page.jobs));
    const rest = liveIds().filter((id) => !seen.has(id));
    await Promise.all(rest.slice(0, FOLLOWED_AT_MOST).map((id) => refresh(id)));
  } catch (thrown) {
    unlessOffline(thrown);
  }
}

/** Runs inside the page's span that it does not name are gone (deleted elsewhere). */
function forgetDeleted(jobs: JobView[], seen: Set<string>): void {
  const oldest = jobs.at(-1)?.created_at;
  if (oldest === undefined) return;
  update((runs) =>
    runs.filter(
      (run) => !run.jobId || seen.has(run.jobId) || run.createdAt <= oldest || !hasEnded(run),
    ),
  );
}

function liveIds(): string[] {
  return useRuns.getState().runs.flatMap((run) => (run.jobId && !hasEnded(run) ? [run.jobId] : []));
}

const asked = new Map<string, Promise<void>>();

/**
 * Reads one job; several wishes at a time become one request. With `anyway` it joins the list even
 * where it lies beyond what is loaded.
 */
export function refresh(jobId: string, anyway = false): Promise<void> {
  const under = asked.get(jobId);
  if (under) return under;
  const request = read(jobId, anyway).finally(() => asked.delete(jobId));
  asked.set(jobId, request);
  return request;
}

async function read(jobId: string, anyway: boolean): Promise<void> {
  try {
    const job = await getJob(jobId);
    const { runs, cursor, filter } = useRuns.getState();
    const known = runs.some((run) => run.jobId === jobId);
    const wanted = matches({ ...runOf(job), status: filter.status ?? job.status }, filter);
    if (known || anyway || (wanted && belongs(runs, job.created_at, cursor === null))) {
      update((all) => merged(all, [job]));
    }
  } catch (thrown) {
    if (thrown instanceof ProblemError && thrown.problem.status === 404) {
      update((runs) => without(runs, jobId));
      return;
    }
    unlessOffline(thrown);
  }
}

/** Places in the queue move when others start or end: reads those of the waiting runs. */
export function refreshPlaces(): void {
  const waiting = useRuns.getState().runs.filter((run) => run.status === 'queued' && run.jobId);
  for (const run of waiting.slice(-FOLLOWED_AT_MOST)) if (run.jobId) void refresh(run.jobId);
}
