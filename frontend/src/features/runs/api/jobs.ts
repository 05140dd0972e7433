/** Requests about jobs, one function each. */
import { post, request } from '@/api/http';
import type {
  EventPage,
  JobAccepted,
  JobPage,
  JobPlan,
  JobView,
  Mode,
  OutputsView,
  PublicState,
  ShareView,
} from '@/api/types';

export interface Filter {
  status?: PublicState;
  mode?: Mode;
  /** Words of the prompt. */
  q?: string;
}

export const PAGE = 40;

export function listJobs(filter: Filter, cursor: string | null, limit = PAGE): Promise<JobPage> {
  const query = new URLSearchParams({ limit: String(limit) });
  if (cursor) query.set('cursor', cursor);
  if (filter.status) query.set('status', filter.status);
  if (filter.mode) query.set('mode', filter.mode);
  if (filter.q) query.set('q', filter.q);
  return request<JobPage>(`/api/jobs?${query}`);
}

export const getJob = (jobId: string) => request<JobView>(`/api/jobs/${jobId}`);

export const getOutputs = (jobId: string) => request<OutputsView>(`/api/jobs/${jobId}/outputs`);

export const cancelJob = (jobId: string) => post<JobAccepted>(`/api/jobs/${jobId}/cancel`);

export const retryJob = (jobId: string) => post<JobAccepted>(`/api/jobs/${jobId}/retry`);

export const deleteJob = (jobId: string) =>
  request<undefined>(`/api/jobs/${jobId}`, { method: 'DELETE' });

/** A link that anybody may open, for as long as the gateway gives one. */
export const shareJob = (jobId: string) => post<ShareView>(`/api/jobs/${jobId}/share`, {});

const PATHS: Partial<Record<Mode, string>> = {
  animate: '/api/jobs/animate',
  audio_performance: '/api/jobs/audio-performance',
  start_end: '/api/jobs/start-end',
  pose_control: '/api/jobs/pose-control',
  motion_clip: '/api/jobs/motion-clip',
};

/** The same key and body give the same job, however often they are sent. */
export function submitJob(body: { mode: Mode }, key: string): Promise<JobAccepted> {
  const path = PATHS[body.mode];
  if (!path) throw new Error(`nothing takes the mode ${body.mode}`);
  return post<JobAccepted>(path, body, { 'Idempotency-Key': key });
}

/** What was planned for a job: it stands in the first event of its record. */
export async function getPlan(jobId: string): Promise<JobPlan> {
  const page = await request<EventPage>(`/api/jobs/${jobId}/events?limit=1`);
  const plan = page.events[0]?.data['plan'];
  if (!plan) throw new Error('the job has no plan on record');
  return plan as JobPlan;
}
