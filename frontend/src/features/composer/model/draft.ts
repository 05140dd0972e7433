/**
 * What the composer holds between two presses of Generate, and how it is kept across reloads.
 * Reading never fails: what is not understood falls back to the default. Pure.
 */
import type { AspectRatio, CropBox, QualityProfile } from '@/api/types';
import { isTask, type Task } from '@/model/tasks';
import { type Attachment, isUnfinished, isUseless } from './attachment';
import { type ClipSettings, clipOf, DEFAULT_CLIP } from './clip';
import { ATTACHMENT_ROLES, type AttachmentRole } from './roles';

export const FRAMINGS = ['portrait', 'half_body', 'full_body'] as const;
export const ADHERENCES = ['loose', 'balanced', 'strict'] as const;
export const CONTROLS = ['pose', 'canny', 'depth'] as const;
export const ASPECTS: readonly AspectRatio[] = ['9:16', '16:9', '1:1'];
export const QUALITIES: readonly QualityProfile[] = ['draft', 'standard', 'high'];

/** As typed: texts stay texts until a request is built from them. */
export interface Settings {
  aspect: AspectRatio;
  quality: QualityProfile;
  seed: string;
  duration: string;
  negative: string;
  relighting: boolean;
  framing: (typeof FRAMINGS)[number] | null;
  adherence: (typeof ADHERENCES)[number] | null;
  control: (typeof CONTROLS)[number];
  /** How many parts beyond the first at most. */
  extension: string;
  keywords: string;
  /** A few words on each pose sheet, in their order. */
  poses: string;
  clip: ClipSettings;
}

export const DEFAULT_SETTINGS: Settings = {
  aspect: '9:16',
  quality: 'standard',
  seed: '',
  duration: '',
  negative: '',
  relighting: false,
  framing: null,
  adherence: null,
  control: 'pose',
  extension: '',
  keywords: '',
  poses: '',
  clip: DEFAULT_CLIP,
};

export interface Draft {
  task: Task;
  prompt: string;
  settings: Settings;
}

/** An attachment as it is remembered: the file lies on the server. */
export interface KeptAttachment {
  role: AttachmentRole;
  assetId: string;
  crop: CropBox | null;
}

/** An attachment whose file did not wholly reach the server before the page was left. */
export interface UnfinishedAttachment {
  role: AttachmentRole;
  name: string;
  crop: CropBox | null;
}

export interface KeptDraft extends Draft {
  attachments: KeptAttachment[];
}

/** What a reload finds. */
export interface StoredDraft extends KeptDraft {
  unfinished: UnfinishedAttachment[];
}

export const EMPTY_DRAFT: KeptDraft = {
  task: 'move',
  prompt: '',
  settings: DEFAULT_SETTINGS,
  attachments: [],
};

export function written(draft: Draft, attachments: Attachment[]): string {
  const kept: StoredDraft = {
    task: draft.task,
    prompt: draft.prompt,
    settings: draft.settings,
    attachments: attachments.flatMap((a) =>
      a.assetId && !isUseless(a) ? [{ role: a.role, assetId: a.assetId, crop: a.crop }] : [],
    ),
    unfinished: attachments.flatMap((a) =>
      isUnfinished(a) ? [{ role: a.role, name: a.name, crop: a.crop }] : [],
    ),
  };
  return JSON.stringify(kept);
}

export function read(text: string | null): StoredDraft {
  const raw = parsed(text);
  const task = isTask(raw['task']) ? raw['task'] : EMPTY_DRAFT.task;
  return {
    task,
    prompt: textOf(raw['prompt']),
    settings: settingsOf(recordOf(raw['settings'])),
    attachments: listOf(raw['attachments']).flatMap((one) => keptOf(recordOf(one))),
    unfinished: listOf(raw['unfinished']).flatMap((one) => unfinishedOf(recordOf(one))),
  };
}

export function settingsOf(raw: Record<string, unknown>): Settings {
  return {
    aspect: oneOf(ASPECTS, raw['aspect']) ?? DEFAULT_SETTINGS.aspect,
    quality: oneOf(QUALITIES, raw['quality']) ?? DEFAULT_SETTINGS.quality,
    seed: textOf(raw['seed']),
    duration: textOf(raw['duration']),
    negative: textOf(raw['negative']),
    relighting: raw['relighting'] === true,
    framing: oneOf(FRAMINGS, raw['framing']),
    adherence: oneOf(ADHERENCES, raw['adherence']),
    control: oneOf(CONTROLS, raw['control']) ?? DEFAULT_SETTINGS.control,
    extension: textOf(raw['extension']),
    keywords: textOf(raw['keywords']),
    poses: textOf(raw['poses']),
    clip: clipOf(recordOf(raw['clip'])),
  };
}

function keptOf(raw: Record<string, unknown>): KeptAttachment[] {
  const role = oneOf(ATTACHMENT_ROLES, raw['role']);
  const assetId = textOf(raw['assetId']);
  return role && assetId ? [{ role, assetId, crop: cropOf(recordOf(raw['crop'])) }] : [];
}

function unfinishedOf(raw: Record<string, unknown>): UnfinishedAttachment[] {
  const role = oneOf(ATTACHMENT_ROLES, raw['role']);
  const name = textOf(raw['name']);
  return role && name ? [{ role, name, crop: cropOf(recordOf(raw['crop'])) }] : [];
}

function cropOf(raw: Record<string, unknown>): CropBox | null {
  const sides = [raw['x_px'], raw['y_px'], raw['width_px'], raw['height_px']];
  if (!sides.every((side) => Number.isSafeInteger(side))) return null;
  const [x_px, y_px, width_px, height_px] = sides as [number, number, number, number];
  return { x_px, y_px, width_px, height_px };
}

function parsed(text: string | null): Record<string, unknown> {
  try {
    return recordOf(JSON.parse(text ?? '{}'));
  } catch {
    return {};
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function oneOf<T extends string>(options: readonly T[], value: unknown): T | null {
  return options.find((option) => option === value) ?? null;
}
