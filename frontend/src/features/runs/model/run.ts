/** A run as the gallery shows it: a job of the gateway, or one that is still on its way there. */
import type { ErrorView, JobView, ProgressView, PublicState } from '@/api/types';
import { type Task, taskOf } from '@/model/tasks';

export type RunStatus = 'sending' | 'unsent' | PublicState;

export interface Run {
  /** Stays the same when a run that was on its way gets its job id. */
  key: string;
  jobId: string | null;
  task: Task;
  mode: string;
  prompt: string;
  width: number;
  height: number;
  status: RunStatus;
  progress: ProgressView | null;
  /** Place in the queue, 1 is next; null when not known. */
  position: number | null;
  error: Pick<ErrorView, 'sentence' | 'remedy' | 'retryable'> | null;
  simulated: boolean;
  cancelRequested: boolean;
  attempt: number;
  thumbnailUrl: string | null;
  posterUrl: string | null;
  videoUrl: string | null;
  /** What was delivered is a moving picture and no video: only an img element plays it. */
  picture: boolean;
  createdAt: string;
  updatedAt: string;
  job: JobView | null;
}

const ENDED = new Set<RunStatus>(['completed', 'failed', 'cancelled']);
const ON_THE_WAY = new Set<RunStatus>(['sending', 'unsent']);

export const hasEnded = (run: Pick<Run, 'status'>) => ENDED.has(run.status);
export const isOnTheWay = (run: Pick<Run, 'status'>) => ON_THE_WAY.has(run.status);
export const isRunning = (run: Pick<Run, 'status'>) =>
  run.status === 'executing' || run.status === 'collecting_outputs';

/** What stands for a video before it is made, best first. */
export const FACES = ['ground_truth', 'start_frame', 'end_frame', 'still'] as const;

export function runOf(job: JobView): Run {
  const face = FACES.flatMap((role) => job.assets.filter((asset) => asset.role === role))[0];
  return {
    key: job.job_id,
    jobId: job.job_id,
    task: taskOf(job.mode, job.settings_json),
    mode: job.mode,
    prompt: job.prompt,
    width: job.delivery.width_px,
    height: job.delivery.height_px,
    status: job.status,
    progress: job.progress,
    position: job.queue?.position ?? null,
    error: job.error,
    simulated: job.simulated ?? false,
    cancelRequested: job.cancel_requested,
    attempt: job.attempt,
    thumbnailUrl: face ? `/api/assets/${face.asset_id}/thumbnail` : null,
    posterUrl: job.poster_url,
    videoUrl: job.video_url,
    picture: job.video_mime_type?.startsWith('image/') ?? false,
    createdAt: job.created_at,
    updatedAt: job.updated_at,
    job,
  };
}
