/** Things that many tests need, as the gateway gives them. */
import type { AssetView, Capabilities, JobView, Mode, ProfileAvailability } from '@/api/types';
import { type Attachment, fromAsset, newAttachment } from '@/features/composer/model/attachment';
import type { AttachmentRole } from '@/features/composer/model/roles';
import { kindOfRole } from '@/features/composer/model/roles';

export function asset(change: Partial<AssetView> = {}): AssetView {
  return {
    asset_id: 'a-1',
    asset_type: 'image',
    status: 'ready',
    mime_type: 'image/png',
    original_filename: 'hero.png',
    storage_url: '/api/assets/a-1/content',
    thumbnail_url: '/api/assets/a-1/thumbnail',
    width: 800,
    height: 1200,
    duration_seconds: null,
    fps: null,
    has_audio: null,
    size_bytes: 1000,
    sha256: 'f'.repeat(64),
    created_at: '2026-01-01T10:00:00Z',
    error: null,
    ...change,
  };
}

export function attachment(role: AttachmentRole, change: Partial<Attachment> = {}): Attachment {
  const kind = kindOfRole(role);
  return {
    ...newAttachment(`key-${role}`, role, kind, `${role}.bin`),
    ...fromAsset(asset({ asset_id: `id-${role}`, asset_type: kind })),
    ...change,
  };
}

export function profile(change: Partial<ProfileAvailability> = {}): ProfileAvailability {
  return {
    profile: 'standard',
    available: true,
    missing: [],
    lane: 'lane',
    settings: ['negative_prompt', 'relighting', 'framing_mode', 'audio_adherence_profile'],
    sizes: { '9:16': [576, 1024], '16:9': [1024, 576] },
    fps: 16,
    min_duration_s: 0.3,
    max_duration_s: 4.8,
    max_extension_segments: 0,
    ...change,
  };
}

export function capabilities(change: Partial<Capabilities> = {}): Capabilities {
  const one = (mode: Mode, submodes: (string | null)[]) => ({
    mode,
    available: true,
    simulated: true,
    missing: [],
    not_offered: [],
    submodes: submodes.map((submode) => ({
      submode,
      title: 'Title',
      workflow: 'workflow',
      version: '1.0.0',
      available: true,
      missing: [],
      profiles: [profile(), profile({ profile: 'draft', settings: [] })],
    })),
  });
  return {
    modes: [
      one('animate', ['move', 'mix']),
      one('audio_performance', [null]),
      one('pose_control', ['pose', 'pose_sheet']),
    ],
    motion_clip: {
      stages: ['txt2img', 'img2img', 'upscale', 'video_render'].map(part),
      backends: ['webui_animatediff', 'webui_deforum'].map(part),
      checkpoints: [],
      samplers: [],
      upscalers: [],
      motion_models: [],
    },
    simulated: true,
    engines: [],
    uploads: { image_bytes: 1000, video_bytes: 5000, audio_bytes: 2000 },
    prompt_characters: 100,
    reference_images: 8,
    pose_sheets: 8,
    queue_warnings: [],
    ...change,
  };
}

function part(name: string) {
  return { name, title: name, available: true, simulated: false, missing: [] };
}

export function job(change: Partial<JobView> = {}): JobView {
  return {
    job_id: 'j-1',
    mode: 'animate',
    workflow_template: 'wan@1.0.0',
    status: 'queued',
    submitted_by: 'me',
    prompt: 'a walk in the park',
    negative_prompt: '',
    settings_json: {
      animate_submode: 'move',
      seed: 7,
      aspect_ratio: '9:16',
      quality_profile: 'standard',
    },
    comfy_prompt_id: null,
    created_at: '2026-01-01T10:00:00Z',
    updated_at: '2026-01-01T10:00:01Z',
    assets: [
      { role: 'ground_truth', index: 0, asset_id: 'id-ground_truth', used: true, note: null },
    ],
    delivery: { width_px: 576, height_px: 1024, fps: 16, frames: 77 },
    notes: [],
    attempt: 1,
    cancel_requested: false,
    simulated: null,
    progress: null,
    queue: { position: 3 },
    error: null,
    poster_url: null,
    video_url: null,
    video_mime_type: null,
    ...change,
  };
}
