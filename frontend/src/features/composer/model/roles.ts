/** Which role a file plays in a task: visibility (SRS §8.2), guesses, limits. Pure. */
import type { AssetKind } from '@/api/types';
import type { Task } from '@/model/tasks';

export const ATTACHMENT_ROLES = [
  'ground_truth',
  'start_frame',
  'end_frame',
  'motion_video',
  'control_video',
  'audio',
  'reference',
  'pose_sheet',
  'still',
] as const;
export type AttachmentRole = (typeof ATTACHMENT_ROLES)[number];

interface Places {
  /** What can be attached, in the order of the rail. */
  shown: readonly AttachmentRole[];
  /** What must be there: one of each group. */
  needed: readonly (readonly AttachmentRole[])[];
}

const ANIMATE: Places = {
  shown: ['ground_truth', 'motion_video', 'reference', 'pose_sheet'],
  needed: [['ground_truth'], ['motion_video']],
};

const PLACES: Partial<Record<Task, Places>> = {
  move: ANIMATE,
  mix: ANIMATE,
  audio: {
    shown: ['ground_truth', 'audio', 'reference', 'pose_sheet'],
    needed: [['ground_truth'], ['audio']],
  },
  start_end: {
    shown: ['start_frame', 'end_frame', 'reference', 'pose_sheet'],
    needed: [['start_frame', 'end_frame']],
  },
  pose_control: {
    shown: ['ground_truth', 'control_video', 'pose_sheet', 'reference'],
    needed: [['ground_truth'], ['control_video', 'pose_sheet']],
  },
  motion_clip: { shown: ['still', 'ground_truth', 'audio'], needed: [] },
};

const OF_KIND: Record<AssetKind, readonly AttachmentRole[]> = {
  image: ['ground_truth', 'start_frame', 'end_frame', 'reference', 'pose_sheet', 'still'],
  video: ['motion_video', 'control_video'],
  audio: ['audio'],
};

const EXTENSIONS: Record<AssetKind, readonly string[]> = {
  image: ['png', 'jpg', 'jpeg', 'webp', 'heic', 'heif'],
  video: ['mp4', 'mov', 'm4v', 'webm'],
  audio: ['wav', 'mp3', 'm4a', 'flac', 'ogg', 'oga', 'opus'],
};

/** What the file picker offers for some kinds. */
export function accepting(kinds: readonly AssetKind[]): string {
  return kinds.flatMap((kind) => EXTENSIONS[kind].map((ext) => `.${ext}`)).join(',');
}

export function rolesIn(task: Task): readonly AttachmentRole[] {
  return PLACES[task]?.shown ?? [];
}

export function neededIn(task: Task): readonly (readonly AttachmentRole[])[] {
  return PLACES[task]?.needed ?? [];
}

/** Places to show as empty: those that are needed, and both frames of a start and an end. */
export function emptyPlaces(
  task: Task,
  taken: readonly AttachmentRole[],
): readonly AttachmentRole[] {
  return neededIn(task).flatMap((group) => {
    const open = group.filter((role) => !taken.includes(role));
    const filled = open.length < group.length;
    return filled && !group.includes('start_frame') ? [] : open;
  });
}

export function rolesOf(kind: AssetKind): readonly AttachmentRole[] {
  return OF_KIND[kind];
}

export function kindOfRole(role: AttachmentRole): AssetKind {
  if (role === 'audio') return 'audio';
  return role === 'motion_video' || role === 'control_video' ? 'video' : 'image';
}

export function isSingle(role: AttachmentRole): boolean {
  return role !== 'reference' && role !== 'pose_sheet' && role !== 'still';
}

/** The kind of a file by its name, then by what the browser says; null for anything else. */
export function kindOfFile(file: { name: string; type: string }): AssetKind | null {
  const extension = file.name.includes('.') ? file.name.split('.').pop()?.toLowerCase() : '';
  const kinds = Object.keys(EXTENSIONS) as AssetKind[];
  const named = kinds.find((kind) => EXTENSIONS[kind].includes(extension ?? ''));
  if (named) return named;
  if (extension) return null;
  // Pasted pictures may have no name that says anything.
  return kinds.find((kind) => file.type.startsWith(`${kind}/`)) ?? null;
}

const POSES = /pose|sheet|turnaround|skeleton/i;

/** The role that a new file most likely has, given the task and the roles that are taken. */
export function guessRole(
  kind: AssetKind,
  name: string,
  task: Task,
  taken: readonly AttachmentRole[],
): AttachmentRole {
  if (kind === 'video') return task === 'pose_control' ? 'control_video' : 'motion_video';
  if (kind === 'audio') return 'audio';
  if (task === 'motion_clip') return 'still';
  if (POSES.test(name)) return 'pose_sheet';
  const first: readonly AttachmentRole[] =
    task === 'start_end' ? ['start_frame', 'end_frame'] : ['ground_truth'];
  return first.find((role) => !taken.includes(role)) ?? 'reference';
}

const TASK_OF: Partial<Record<AttachmentRole, Task>> = {
  audio: 'audio',
  control_video: 'pose_control',
  start_frame: 'start_end',
  end_frame: 'start_end',
  still: 'motion_clip',
};

/** The task to change to so that a role is used, or null when it is used already. */
export function taskFor(role: AttachmentRole, task: Task): Task | null {
  if (rolesIn(task).includes(role)) return null;
  return TASK_OF[role] ?? 'move';
}

const TWINS: readonly (readonly [AttachmentRole, AttachmentRole])[] = [
  ['motion_video', 'control_video'],
  ['ground_truth', 'start_frame'],
];

/** What a file that a task does not show can be in it instead, or null. */
export function twinIn(task: Task, role: AttachmentRole): AttachmentRole | null {
  const shown = rolesIn(task);
  if (shown.includes(role)) return null;
  const twin = TWINS.flatMap(([a, b]) => (a === role ? [b] : b === role ? [a] : []))[0];
  return twin && shown.includes(twin) ? twin : null;
}
