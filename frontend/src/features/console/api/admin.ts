/** Requests of the operator console, one function each. */
import { post, request } from '@/api/http';
import type {
  ActivationView,
  AssetView,
  Difference,
  EventPage,
  EventView,
  Export,
  HealthView,
  JobAccepted,
  JobPage,
  JobPlan,
  JobView,
  Mode,
  OutputsView,
  PromptView,
  PublicState,
  QueueReport,
  ReplayView,
  StorageView,
  WorkflowView,
} from '@/api/types';

export interface JobFilter {
  status: PublicState | '';
  mode: Mode | '';
  /** An upload that the jobs name. */
  asset: string;
}

export function listJobs(filter: JobFilter, cursor: string | null): Promise<JobPage> {
  const query = new URLSearchParams({ limit: '50' });
  if (filter.status) query.set('status', filter.status);
  if (filter.mode) query.set('mode', filter.mode);
  if (filter.asset) query.set('asset_id', filter.asset);
  if (cursor) query.set('cursor', cursor);
  return request<JobPage>(`/api/jobs?${query}`);
}

export const getJob = (jobId: string) => request<JobView>(`/api/jobs/${jobId}`);
export const getByPrompt = (promptId: string) =>
  request<PromptView>(`/api/admin/jobs/by-prompt/${promptId}`);
export const getOutputs = (jobId: string) => request<OutputsView>(`/api/jobs/${jobId}/outputs`);
export const getFile = (url: string) => request<unknown>(url);
export const getAsset = (assetId: string) => request<AssetView>(`/api/assets/${assetId}`);
export const getExport = (jobId: string) => request<Export>(`/api/jobs/${jobId}/export`);
export const getStorage = () => request<StorageView>('/api/admin/storage');
export const getQueue = () => request<QueueReport>('/api/admin/queue');
export const getHealth = () => request<HealthView>('/api/admin/health');
export const getWorkflows = () => request<WorkflowView[]>('/api/admin/workflows');
export const pause = (lane: string | null) => post('/api/admin/queue/pause', lane ? { lane } : {});
export const resume = (lane: string | null) =>
  post('/api/admin/queue/resume', lane ? { lane } : {});
export const getActivations = () => request<ActivationView[]>('/api/admin/workflows/activations');
export const activate = (name: string, version: string) =>
  post('/api/admin/workflows/activate', { workflow_name: name, workflow_version: version });
export const rollBack = (name: string) =>
  post('/api/admin/workflows/rollback', { workflow_name: name });
export const difference = (name: string, old: string, fresh: string) =>
  request<Difference>(
    `/api/admin/workflows/${name}/diff?${new URLSearchParams({ old, new: fresh })}`,
  );
export interface ReplayOrder {
  start?: string;
  workflow_version?: string;
}

export const replayJob = (jobId: string, order: ReplayOrder) =>
  post<ReplayView>(`/api/admin/replay/${jobId}`, order);
export const retryJob = (jobId: string) => post<JobAccepted>(`/api/admin/retry/${jobId}`);
export const cancelJob = (jobId: string) => post<JobAccepted>(`/api/jobs/${jobId}/cancel`);

/** What was planned for a job: it stands in the first event of its record. */
export async function getPlan(jobId: string): Promise<JobPlan | null> {
  const page = await request<EventPage>(`/api/jobs/${jobId}/events?limit=1`);
  return (page.events[0]?.data['plan'] as JobPlan | undefined) ?? null;
}

/** The whole record of a job, page by page. */
export async function getEvents(jobId: string): Promise<EventView[]> {
  const events: EventView[] = [];
  let after: number | null = 0;
  while (after !== null) {
    const page: EventPage = await request(`/api/jobs/${jobId}/events?limit=500&after=${after}`);
    events.push(...page.events);
    after = page.next_after;
  }
  return events;
}
