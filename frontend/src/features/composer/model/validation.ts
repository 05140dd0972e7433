/** What stands between the composer and Generate, said beside the field it concerns. Pure. */
import type { Capabilities, FieldProblem, ProfileAvailability } from '@/api/types';
import { offerOf } from '@/model/tasks';
import { strings } from '@/strings';
import { seconds } from '@/ui/format';
import type { Attachment } from './attachment';
import { clipNeeds, needsWords, sourceOf } from './clip';
import type { Draft } from './draft';
import { decimal, variantOf } from './request';
import { type AttachmentRole, neededIn, rolesIn } from './roles';

export type Place =
  | AttachmentRole
  | 'prompt'
  | 'negative'
  | 'seed'
  | 'duration'
  | 'extension'
  | 'keywords'
  | 'poses'
  | 'aspect'
  | 'quality'
  | 'task'
  | 'clip'
  | 'files'
  | 'general';

export interface Need {
  place: Place;
  sentence: string;
}

const MAX_SEED = Number.MAX_SAFE_INTEGER;

/** Everything that is missing or wrong as far as the studio itself can tell; empty when nothing. */
export function needsOf(
  draft: Draft,
  attachments: Attachment[],
  capabilities: Capabilities | null,
  profile: ProfileAvailability | undefined,
): Need[] {
  const needs: Need[] = [];
  const shown = attachments.filter((a) => rolesIn(draft.task).includes(a.role));
  const offer = offerOf(capabilities, draft.task, variantOf(draft, shown));
  if (offer.state === 'lacking' || offer.state === 'absent') {
    needs.push({ place: 'task', sentence: strings.needs.unavailable });
  }
  for (const group of neededIn(draft.task)) {
    const role = group[0];
    if (role && !shown.some((a) => group.includes(a.role))) {
      needs.push({ place: role, sentence: strings.missing[role] });
    }
  }
  const source = sourceOf(shown.map((a) => a.role));
  const clip = draft.task === 'motion_clip' ? draft.settings.clip : null;
  if (!clip || needsWords(clip, source)) {
    needs.push(...promptNeeds(draft.prompt, capabilities?.prompt_characters));
  }
  if (clip) needs.push(...clipNeeds(clip, source, draft.settings.seed, capabilities));
  if (shown.some((a) => a.state === 'refused')) {
    needs.push({ place: 'files', sentence: strings.needs.refused });
  } else if (shown.some((a) => a.state === 'interrupted')) {
    needs.push({ place: 'files', sentence: strings.needs.interrupted });
  } else if (shown.some((a) => a.state !== 'ready')) {
    needs.push({ place: 'files', sentence: strings.needs.uploading });
  }
  return [...needs, ...settingNeeds(draft, profile)];
}

function promptNeeds(prompt: string, limit: number | undefined): Need[] {
  if (!prompt.trim()) return [{ place: 'prompt', sentence: strings.needs.prompt }];
  if (limit !== undefined && prompt.trim().length > limit) {
    return [{ place: 'prompt', sentence: strings.needs.promptLong(limit) }];
  }
  return [];
}

function settingNeeds(draft: Draft, profile: ProfileAvailability | undefined): Need[] {
  const needs: Need[] = [];
  const seed = draft.settings.seed.trim();
  if (seed && !(/^\d+$/.test(seed) && Number(seed) <= MAX_SEED)) {
    needs.push({ place: 'seed', sentence: strings.needs.seed });
  }
  const duration = draft.settings.duration.trim();
  if (duration) {
    const asked_s = decimal(duration);
    if (!(asked_s > 0)) {
      needs.push({ place: 'duration', sentence: strings.needs.duration });
    } else if (profile && asked_s > profile.max_duration_s) {
      const range = [seconds(profile.min_duration_s), seconds(profile.max_duration_s)] as const;
      needs.push({ place: 'duration', sentence: strings.needs.durationRange(...range) });
    }
  }
  return needs;
}

const PLACES: [RegExp, Place][] = [
  [/^prompt_pack/, 'clip'],
  [/^prompt/, 'prompt'],
  [/^negative_prompt/, 'negative'],
  [/^(ground_truth_asset_id|crop)/, 'ground_truth'],
  [/^motion_video_asset_id/, 'motion_video'],
  [/^audio_asset_id/, 'audio'],
  [/^stages/, 'clip'],
  [/^still_asset_ids/, 'still'],
  [/^start_frame_asset_id/, 'start_frame'],
  [/^end_frame_asset_id/, 'end_frame'],
  [/^control_(video_asset_id|kind)/, 'control_video'],
  [/^extension_segments/, 'extension'],
  [/^keywords/, 'keywords'],
  [/^key_pose_hints/, 'poses'],
  [/^reference_asset_ids/, 'reference'],
  [/^pose_sheet_asset_ids/, 'pose_sheet'],
  [/^seed/, 'seed'],
  [/^duration/, 'duration'],
  [/^aspect_ratio/, 'aspect'],
  [/^quality_profile/, 'quality'],
  [/^(mode|animate_submode)/, 'task'],
];

/** The gateway's refusals at the places where a person can mend them. */
export function needsOfProblems(problems: readonly FieldProblem[]): Need[] {
  return problems.map((problem) => ({
    place: PLACES.find(([name]) => name.test(problem.field ?? ''))?.[1] ?? 'general',
    sentence: `${problem.sentence} ${problem.remedy}`,
  }));
}

export function sentencesAt(needs: readonly Need[], ...places: Place[]): string | undefined {
  const found = needs.filter((need) => places.includes(need.place));
  return found.length > 0 ? found.map((need) => need.sentence).join(' ') : undefined;
}
