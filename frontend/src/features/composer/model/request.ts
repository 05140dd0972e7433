/** From what the composer holds to the body of a submit, and back from a job. Pure. */
import type { JobPlan, JobRequest, JobView, ProfileAvailability } from '@/api/types';
import { type Task, taskOf } from '@/model/tasks';
import { type Attachment, isUseless } from './attachment';
import { clipOfPlan, sourceOf, stagesOf } from './clip';
import { type Draft, type KeptAttachment, type KeptDraft, settingsOf } from './draft';
import { ATTACHMENT_ROLES, type AttachmentRole, rolesIn } from './roles';

/** The body with the fields that were set; the rest has the gateway's defaults. */
export type RequestBody = Partial<JobRequest> & Pick<JobRequest, 'mode'>;

function idsOf(attachments: readonly KeptAttachment[], role: AttachmentRole): string[] {
  return attachments.flatMap((a) => (a.role === role ? [a.assetId] : []));
}

/** The request for what the composer holds; files that are not on the server are left out. */
export function requestOf(
  draft: Draft,
  attachments: readonly Attachment[],
  profile: ProfileAvailability | undefined,
): RequestBody {
  const kept = attachments.flatMap((a) =>
    a.assetId && !isUseless(a) ? [{ role: a.role, assetId: a.assetId, crop: a.crop }] : [],
  );
  return requestOfKept({ ...draft, attachments: kept }, profile);
}

/** Only settings with a wire in the profile are sent; only roles that the task shows are named. */
export function requestOfKept(
  { task, prompt, settings, attachments }: KeptDraft,
  profile: ProfileAvailability | undefined,
): RequestBody {
  const shown = attachments.filter((a) => rolesIn(task).includes(a.role));
  const first = (role: AttachmentRole) => idsOf(shown, role)[0] ?? null;
  const crop = shown.find((a) => a.role === 'ground_truth')?.crop;
  const wired = (name: string) => profile?.settings.includes(name) ?? false;
  const references = idsOf(shown, 'reference');
  const poses = idsOf(shown, 'pose_sheet');
  const keywords = listed(settings.keywords, /[,;]/);
  const hints = poses.length > 0 ? listed(settings.poses, /;/) : [];
  const shared = {
    prompt: prompt.trim(),
    aspect_ratio: settings.aspect,
    quality_profile: settings.quality,
    ...(task !== 'start_end' &&
      task !== 'motion_clip' && { ground_truth_asset_id: first('ground_truth') }),
    ...(references.length > 0 && { reference_asset_ids: references }),
    ...(poses.length > 0 && { pose_sheet_asset_ids: poses }),
    ...(hints.length > 0 && { key_pose_hints: hints }),
    ...(keywords.length > 0 && { keywords }),
    ...(crop && { crop }),
    ...(settings.seed.trim() && { seed: Number(settings.seed) }),
    ...(settings.duration.trim() && { duration_override_seconds: decimal(settings.duration) }),
    ...(settings.extension &&
      wired('extension_segments') && { extension_segments: Number(settings.extension) }),
    ...(settings.negative.trim() &&
      wired('negative_prompt') && { negative_prompt: settings.negative.trim() }),
  };
  switch (task) {
    case 'motion_clip': {
      const { clip, seed } = settings;
      const stills = idsOf(shown, 'still');
      const source = sourceOf(shown.map((a) => a.role));
      return {
        mode: 'motion_clip',
        ...shared,
        ...(clip.pack && { prompt_pack: clip.pack, prompt: '' }),
        ...(source === 'picture' && { ground_truth_asset_id: first('ground_truth') }),
        ...(stills.length > 0 && { still_asset_ids: stills }),
        stages: stagesOf(clip, source, seed, first('audio')),
      };
    }
    case 'audio':
      return {
        mode: 'audio_performance',
        ...shared,
        audio_asset_id: first('audio'),
        ...(settings.framing && wired('framing_mode') && { framing_mode: settings.framing }),
        ...(settings.adherence &&
          wired('audio_adherence_profile') && { audio_adherence_profile: settings.adherence }),
      };
    case 'start_end':
      return {
        mode: 'start_end',
        ...shared,
        start_frame_asset_id: first('start_frame'),
        end_frame_asset_id: first('end_frame'),
      };
    case 'pose_control':
      return {
        mode: 'pose_control',
        ...shared,
        control_video_asset_id: first('control_video'),
        ...(first('control_video') && { control_kind: settings.control }),
      };
    default:
      return {
        mode: 'animate',
        animate_submode: task === 'mix' ? 'mix' : 'move',
        ...shared,
        motion_video_asset_id: first('motion_video'),
        ...(settings.relighting && wired('relighting') && { relighting: true }),
      };
  }
}

/** Which of the ways of making a task is meant: the gateway has one workflow for each. */
export function variantOf(
  { task, settings }: Draft,
  attachments: readonly { role: AttachmentRole }[],
): string | null {
  if (task !== 'pose_control') return null;
  const has = (role: AttachmentRole) => attachments.some((a) => a.role === role);
  return has('pose_sheet') && !has('control_video') ? 'pose_sheet' : settings.control;
}

function listed(text: string, between: RegExp): string[] {
  return text
    .split(between)
    .map((one) => one.trim())
    .filter(Boolean);
}

/** A number as people write it: with a point or a comma. NaN for anything else. */
export function decimal(text: string): number {
  return Number(text.trim().replace(',', '.') || NaN);
}

/** Delivered frames come in fours: a video this much shorter than its media was asked to be. */
const ROUNDING_S = 0.35;

/**
 * What made a job, to be made again; `plan` is what was planned for it. Without the seed it is a
 * variation.
 */
export function againOf(job: JobView, plan: JobPlan, keepSeed: boolean): KeptDraft {
  const raw = job.settings_json;
  const task: Task = taskOf(job.mode, raw);
  const crop = plan.media.flatMap((order) =>
    order.role === 'ground_truth' && order.recipe.kind === 'image' ? [order.recipe.crop] : [],
  )[0];
  return {
    task,
    prompt: job.prompt,
    settings: settingsOf({
      aspect: raw['aspect_ratio'],
      quality: raw['quality_profile'],
      seed: keepSeed ? String(plan.seed) : '',
      duration: askedDuration(plan),
      negative: plan.negative_prompt,
      relighting: raw['relighting'],
      framing: raw['framing_mode'],
      adherence: raw['audio_adherence_profile'],
      control: raw['control'],
      keywords: raw['keywords'],
      poses: raw['key_pose_hints'],
      clip: task === 'motion_clip' ? clipOfPlan(plan) : {},
    }),
    attachments: job.assets.flatMap(({ role, asset_id }) => {
      const known = ATTACHMENT_ROLES.find((one) => one === role);
      const own = known === 'ground_truth' ? (crop ?? null) : null;
      return known ? [{ role: known, assetId: asset_id, crop: own }] : [];
    }),
  };
}

function askedDuration(plan: JobPlan): string {
  const made_s = plan.delivery.frames / plan.delivery.fps;
  const lengths_s = plan.assets.flatMap((use) =>
    use.facts.kind !== 'image' && use.used ? [use.facts.duration_s] : [],
  );
  const media_s = Math.min(...lengths_s);
  return Number.isFinite(media_s) && media_s - made_s > ROUNDING_S ? String(made_s) : '';
}
