/** An attached file from the moment it is dropped, and pure operations on the list of them. */
import type { AssetKind, AssetView, CropBox } from '@/api/types';
import type { Task } from '@/model/tasks';
import { type AttachmentRole, isSingle, twinIn } from './roles';

export type AttachmentState =
  | 'uploading'
  | 'waiting'
  | 'checking'
  | 'ready'
  | 'refused'
  /** The page was left while it was uploaded: to be chosen again. */
  | 'interrupted';

/** Nothing of it can be used as it is. */
export const isUseless = ({ state }: Pick<Attachment, 'state'>) =>
  state === 'refused' || state === 'interrupted';

/** Part of the file is on its way, or was when the page was left. */
export const isUnfinished = ({ state }: Pick<Attachment, 'state'>) =>
  state === 'uploading' || state === 'waiting' || state === 'interrupted';

export interface Attachment {
  key: string;
  role: AttachmentRole;
  kind: AssetKind;
  name: string;
  state: AttachmentState;
  /** How much is uploaded, 0 to 1. */
  sent: number;
  assetId: string | null;
  asset: AssetView | null;
  /** An object URL of the file while this page has it. */
  localUrl: string | null;
  problem: { sentence: string; remedy: string } | null;
  crop: CropBox | null;
}

export function newAttachment(
  key: string,
  role: AttachmentRole,
  kind: AssetKind,
  name: string,
): Attachment {
  return {
    key,
    role,
    kind,
    name,
    state: 'uploading',
    sent: 0,
    assetId: null,
    asset: null,
    localUrl: null,
    problem: null,
    crop: null,
  };
}

/** The list with one more; what a single role held before makes room. */
export function added(list: Attachment[], one: Attachment): Attachment[] {
  return [...madeRoom(list, one.role, one.key), one];
}

export function changed(
  list: Attachment[],
  key: string,
  change: Partial<Attachment>,
): Attachment[] {
  return list.map((a) => (a.key === key ? { ...a, ...change } : a));
}

/** The list with another role for one; a crop belongs to the ground truth only. */
export function reassigned(list: Attachment[], key: string, role: AttachmentRole): Attachment[] {
  const crop = role === 'ground_truth' ? {} : { crop: null };
  return changed(madeRoom(list, role, key), key, { role, ...crop });
}

function madeRoom(list: Attachment[], role: AttachmentRole, except: string): Attachment[] {
  if (!isSingle(role)) return list;
  // A picture that loses its place stays as a reference; a video or sound has no other use.
  return list.flatMap((a) => {
    if (a.role !== role || a.key === except) return [a];
    if (role !== 'ground_truth' || isUseless(a)) return [];
    return [{ ...a, role: 'reference' as const, crop: null }];
  });
}

/** What an answer about the uploaded file says of the attachment. */
export function fromAsset(asset: AssetView): Partial<Attachment> {
  return {
    assetId: asset.asset_id,
    asset,
    sent: 1,
    state: asset.status === 'rejected' ? 'refused' : asset.status,
    problem: asset.error && { sentence: asset.error.sentence, remedy: asset.error.remedy },
  };
}

/** The list after a change of task: a file that has another name there goes along under it. */
export function carried(list: Attachment[], task: Task): Attachment[] {
  const taken = new Set(list.map((a) => a.role));
  return list.map((a) => {
    const twin = twinIn(task, a.role);
    return twin && !taken.has(twin) ? { ...a, role: twin, crop: null } : a;
  });
}
