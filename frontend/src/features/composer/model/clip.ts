/**
 * The settings of a motion clip, how they become a chain of stages, and back. A value that is left
 * open is the prompt pack's or the gateway's to fill. Pure; knows a pack by its name only.
 */
import type { Capabilities, JobPlan, MotionClipRequest } from '@/api/types';
import { strings } from '@/strings';

export const BACKENDS = ['webui_animatediff', 'webui_deforum'] as const;
export const SEED_MODES = ['inherit', 'fixed', 'random'] as const;
export const CONTAINERS = ['mp4', 'webm', 'gif'] as const;
export const PRESETS = ['veryfast', 'medium', 'slow'] as const;
export const CAMERAS = ['none', 'zoom', 'pan'] as const;
const MOST_FRAMES = 1024;
const MOST_FPS = 60;

/** As typed: texts stay texts until a request is built from them. */
export interface ClipSettings {
  /** "name@version", or empty for words of one's own. */
  pack: string;
  /** Frames between the pictures, by a backend; without them the pictures are shown in turn. */
  frames: boolean;
  backend: (typeof BACKENDS)[number];
  numFrames: string;
  fps: string;
  strength: string;
  seedMode: (typeof SEED_MODES)[number];
  container: (typeof CONTAINERS)[number];
  preset: (typeof PRESETS)[number];
  keepFrames: boolean;
  camera: (typeof CAMERAS)[number];
  stillSeconds: string;
}

export const DEFAULT_CLIP: ClipSettings = {
  pack: '',
  frames: false,
  backend: 'webui_animatediff',
  numFrames: '',
  fps: '',
  strength: '',
  seedMode: 'inherit',
  container: 'mp4',
  preset: 'medium',
  keepFrames: false,
  camera: 'none',
  stillSeconds: '',
};

export function clipOf(raw: Record<string, unknown>): ClipSettings {
  const text = (name: string) => (typeof raw[name] === 'string' ? raw[name] : '');
  const one = <T extends string>(options: readonly T[], name: string, otherwise: T): T =>
    options.find((option) => option === raw[name]) ?? otherwise;
  return {
    pack: text('pack'),
    frames: raw['frames'] === true,
    backend: one(BACKENDS, 'backend', DEFAULT_CLIP.backend),
    numFrames: text('numFrames'),
    fps: text('fps'),
    strength: text('strength'),
    seedMode: one(SEED_MODES, 'seedMode', DEFAULT_CLIP.seedMode),
    container: one(CONTAINERS, 'container', DEFAULT_CLIP.container),
    preset: one(PRESETS, 'preset', DEFAULT_CLIP.preset),
    keepFrames: raw['keepFrames'] === true,
    camera: one(CAMERAS, 'camera', DEFAULT_CLIP.camera),
    stillSeconds: text('stillSeconds'),
  };
}

/** Where the pictures come from: attached stills, one picture drawn over, or words alone. */
export type ClipSource = 'stills' | 'picture' | 'words';

export function sourceOf(roles: readonly string[]): ClipSource {
  if (roles.includes('still')) return 'stills';
  return roles.includes('ground_truth') ? 'picture' : 'words';
}

type Stages = NonNullable<MotionClipRequest['stages']>;

export function stagesOf(
  clip: ClipSettings,
  source: ClipSource,
  seed: string,
  audioAssetId: string | null,
): Stages {
  const stages: Stages = [];
  if (source === 'words') stages.push({ kind: 'txt2img' });
  if (source === 'picture') stages.push({ kind: 'img2img' });
  if (clip.frames) {
    stages.push({
      kind: 'video_frames',
      backend: clip.backend,
      seed_mode: clip.seedMode,
      ...number('num_frames', clip.numFrames),
      ...number('fps', clip.fps),
      ...number('strength', clip.strength),
      ...(clip.seedMode === 'fixed' && number('seed', seed)),
    });
  }
  stages.push({
    kind: 'video_render',
    container: clip.container,
    keep_frames: clip.keepFrames,
    ...(clip.container !== 'gif' && { preset: clip.preset }),
    ...(!clip.frames && {
      camera_motion: clip.camera,
      ...number('fps', clip.fps),
      ...number('seconds_per_still', clip.stillSeconds),
    }),
    ...(audioAssetId && clip.container !== 'gif' && { audio_asset_id: audioAssetId }),
  });
  return stages;
}

function number<Name extends string>(name: Name, text: string): Partial<Record<Name, number>> {
  return text.trim() ? ({ [name]: valueOf(text) } as Record<Name, number>) : {};
}

function valueOf(text: string): number {
  return Number(text.trim().replace(',', '.') || NaN);
}

/** The settings that made a clip: everything is resolved in its plan. */
export function clipOfPlan(plan: JobPlan): ClipSettings {
  const frames = plan.stages.find((stage) => stage.kind === 'video_frames');
  const render = plan.stages.find((stage) => stage.kind === 'video_render');
  return clipOf({
    pack: plan.prompt_pack ? `${plan.prompt_pack.name}@${plan.prompt_pack.version}` : '',
    frames: frames !== undefined,
    backend: frames?.backend,
    numFrames: frames && String(frames.num_frames),
    fps: String((frames ?? render)?.fps ?? ''),
    strength: frames && String(frames.strength),
    seedMode: frames?.seed_mode,
    container: render?.container,
    preset: render?.preset,
    keepFrames: render?.keep_frames,
    camera: render?.camera_motion,
    stillSeconds: render && !frames ? String(render.seconds_per_still) : '',
  });
}

export interface ClipNeed {
  place: 'clip' | 'seed' | 'still';
  sentence: string;
}

const words = strings.clip;

/** What keeps the clip from being made, as far as the studio can tell. */
export function clipNeeds(
  clip: ClipSettings,
  source: ClipSource,
  seed: string,
  capabilities: Capabilities | null,
): ClipNeed[] {
  const needs: ClipNeed[] = [];
  const whole = (text: string, most: number, least = 1) =>
    !text.trim() || (/^\d+$/.test(text.trim()) && valueOf(text) >= least && valueOf(text) <= most);
  if (!whole(clip.fps, MOST_FPS)) needs.push({ place: 'clip', sentence: words.fpsRange(MOST_FPS) });
  if (clip.frames) {
    if (!whole(clip.numFrames, MOST_FRAMES, 2)) {
      needs.push({ place: 'clip', sentence: words.framesRange(MOST_FRAMES) });
    }
    const strength = clip.strength.trim() ? valueOf(clip.strength) : 0;
    if (!(strength >= 0 && strength <= 1)) {
      needs.push({ place: 'clip', sentence: words.strengthRange });
    }
    if (clip.seedMode === 'fixed' && !seed.trim()) {
      needs.push({ place: 'seed', sentence: words.fixedNeedsSeed });
    }
  } else if (clip.stillSeconds.trim() && !(valueOf(clip.stillSeconds) >= 0.1)) {
    needs.push({ place: 'clip', sentence: words.stillRange });
  }
  const offer = capabilities?.motion_clip;
  if (offer && clip.frames && !offer.backends.find((b) => b.name === clip.backend)?.available) {
    needs.push({ place: 'clip', sentence: words.backendAbsent });
  }
  const drawing = source === 'words' ? 'txt2img' : 'img2img';
  if (offer && source !== 'stills' && !offer.stages.find((s) => s.name === drawing)?.available) {
    needs.push({ place: 'still', sentence: words.stillsOnly });
  }
  return needs;
}

/** Nothing is drawn from words when attached pictures are only shown, and a pack brings its own. */
export function needsWords(clip: ClipSettings, source: ClipSource): boolean {
  return clip.pack === '' && (source !== 'stills' || clip.frames);
}
