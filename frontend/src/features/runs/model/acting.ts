/** What a person does to a run: cancel, retry, delete. The card shows it before the answer comes. */
import { cancelJob, deleteJob, retryJob } from '../api/jobs';
import { patched, without } from './list';
import { refresh } from './loading';
import type { Run } from './run';
import { update } from './store';

export async function cancel(run: Run): Promise<void> {
  if (!run.jobId) return;
  update((runs) => patched(runs, run.key, { cancelRequested: true }));
  try {
    await cancelJob(run.jobId);
  } finally {
    await refresh(run.jobId);
  }
}

export async function retry(run: Run): Promise<void> {
  if (!run.jobId) return;
  await retryJob(run.jobId);
  await refresh(run.jobId);
}

export async function remove(run: Run): Promise<void> {
  if (!run.jobId) return;
  await deleteJob(run.jobId);
  update((runs) => without(runs, run.key));
}
