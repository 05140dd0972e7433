/** From the composer to what is kept of it, and back: characters and styles. Pure. */
import type { CharacterDraft, CharacterView, PresetDraft } from '@/api/types';
import type { Attachment } from './attachment';
import type { KeptAttachment, Settings } from './draft';
import type { AttachmentRole } from './roles';

/** What a character consists of; it takes the place of attachments in these roles. */
export const CHARACTER_ROLES: readonly AttachmentRole[] = [
  'ground_truth',
  'reference',
  'pose_sheet',
];

/** The character on the desk, or null while its picture is not there. */
export function characterOf(
  name: string,
  attachments: readonly Attachment[],
): CharacterDraft | null {
  const ids = (role: AttachmentRole) =>
    attachments.flatMap((a) =>
      a.role === role && a.state === 'ready' && a.assetId ? [a.assetId] : [],
    );
  const [face] = ids('ground_truth');
  if (!face) return null;
  return {
    name: name.trim(),
    ground_truth_asset_id: face,
    crop: attachments.find((a) => a.role === 'ground_truth')?.crop ?? null,
    reference_asset_ids: ids('reference'),
    pose_sheet_asset_ids: ids('pose_sheet'),
  };
}

export function attachmentsOf(character: CharacterView): KeptAttachment[] {
  const kept = (role: AttachmentRole, assetIds: readonly string[] = []) =>
    assetIds.map((assetId) => ({ role, assetId, crop: null }));
  return [
    {
      role: 'ground_truth',
      assetId: character.ground_truth_asset_id,
      crop: character.crop ?? null,
    },
    ...kept('reference', character.reference_asset_ids),
    ...kept('pose_sheet', character.pose_sheet_asset_ids),
  ];
}

type Style = PresetDraft['style'];

export function styleOf(settings: Settings): Style {
  return {
    keywords: settings.keywords
      .split(/[,;]/)
      .map((word) => word.trim())
      .filter(Boolean),
    negative_prompt: settings.negative.trim() || null,
    aspect_ratio: settings.aspect,
    quality_profile: settings.quality,
    relighting: settings.relighting,
    framing_mode: settings.framing,
    audio_adherence_profile: settings.adherence,
  };
}

/** What a style changes; what it leaves open stays as it is. */
export function settingsOfStyle(style: Style): Partial<Settings> {
  return {
    keywords: style.keywords.join(', '),
    negative: style.negative_prompt ?? '',
    ...(style.aspect_ratio && { aspect: style.aspect_ratio }),
    ...(style.quality_profile && { quality: style.quality_profile }),
    ...(typeof style.relighting === 'boolean' && { relighting: style.relighting }),
    ...(style.framing_mode && { framing: style.framing_mode }),
    ...(style.audio_adherence_profile && { adherence: style.audio_adherence_profile }),
  };
}
