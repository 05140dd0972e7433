/** The packaged sample projects, where this installation has them. */
import { OfflineError, ProblemError, request } from '@/api/http';
import type { AspectRatio, QualityProfile } from '@/api/types';
import type { Task } from '@/model/tasks';

export interface SampleFile {
  role: 'ground_truth' | 'motion_video' | 'audio' | 'reference' | 'pose_sheet';
  url: string;
  name: string;
  mime_type: string;
}

export interface Sample {
  id: string;
  task: Task;
  title: string;
  prompt: string;
  aspect_ratio: AspectRatio;
  quality_profile: QualityProfile;
  poster_url: string | null;
  files: SampleFile[];
}

export interface Demo {
  version: string;
  projects: Sample[];
}

/** Null when there are none here. */
export async function getDemo(): Promise<Demo | null> {
  try {
    return await request<Demo>('/api/demo');
  } catch (thrown) {
    if (thrown instanceof ProblemError || thrown instanceof OfflineError) return null;
    throw thrown;
  }
}

export async function fetchSampleFile(sample: SampleFile): Promise<File> {
  const response = await fetch(sample.url);
  if (!response.ok) throw new OfflineError();
  return new File([await response.blob()], sample.name, { type: sample.mime_type });
}
