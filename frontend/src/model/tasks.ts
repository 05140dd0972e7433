/**
 * The six things a person can ask for, and how each is called in the API. The rest of the studio
 * speaks of tasks only. Pure.
 */
import type { Capabilities, Mode, ProfileAvailability, QualityProfile } from '@/api/types';

export const TASKS = ['move', 'mix', 'audio', 'start_end', 'pose_control', 'motion_clip'] as const;
export type Task = (typeof TASKS)[number];

interface Address {
  mode: Mode;
  submode: string | null;
}

const ADDRESSES: Record<Task, Address> = {
  move: { mode: 'animate', submode: 'move' },
  mix: { mode: 'animate', submode: 'mix' },
  audio: { mode: 'audio_performance', submode: null },
  start_end: { mode: 'start_end', submode: null },
  pose_control: { mode: 'pose_control', submode: 'pose' },
  motion_clip: { mode: 'motion_clip', submode: null },
};

export function isTask(value: unknown): value is Task {
  return typeof value === 'string' && (TASKS as readonly string[]).includes(value);
}

/** The task of a job, from its mode and settings. */
export function taskOf(mode: Mode, settings: Record<string, unknown>): Task {
  if (mode === 'animate') return settings['animate_submode'] === 'mix' ? 'mix' : 'move';
  if (mode === 'audio_performance') return 'audio';
  return mode;
}

export type Offer =
  | { state: 'unknown' }
  | { state: 'offered' }
  | { state: 'lacking'; count: number }
  | { state: 'absent' };

function submodeOf(capabilities: Capabilities, task: Task, variant?: string | null) {
  const { mode, ...address } = ADDRESSES[task];
  const submode = variant ?? address.submode;
  const found = capabilities.modes.find((m) => m.mode === mode);
  return found?.submodes.find((s) => submode === null || s.submode === submode);
}

/**
 * Whether a task can be made here, and if not how much the engines lack for it. `variant` is one
 * of the ways in which the API makes a task that has several.
 */
export function offerOf(
  capabilities: Capabilities | null,
  task: Task,
  variant?: string | null,
): Offer {
  if (capabilities === null) return { state: 'unknown' };
  // Attached pictures can always be shown in turn; what more there is, the panel says.
  if (task === 'motion_clip') return { state: 'offered' };
  const submode = submodeOf(capabilities, task, variant);
  if (!submode) return { state: 'absent' };
  return submode.available
    ? { state: 'offered' }
    : { state: 'lacking', count: submode.missing.length };
}

/** What a task offers in a quality profile: settings with a wire, sizes, durations. */
export function profileOf(
  capabilities: Capabilities | null,
  task: Task,
  quality: QualityProfile,
  variant?: string | null,
): ProfileAvailability | undefined {
  if (capabilities === null) return undefined;
  return submodeOf(capabilities, task, variant)?.profiles.find((p) => p.profile === quality);
}
