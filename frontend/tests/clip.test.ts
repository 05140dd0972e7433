import { describe, expect, it } from 'vitest';
import type { JobPlan } from '@/api/types';
import {
  clipNeeds,
  clipOfPlan,
  type ClipSettings,
  DEFAULT_CLIP,
  needsWords,
  sourceOf,
  stagesOf,
} from '@/features/composer/model/clip';
import { EMPTY_DRAFT } from '@/features/composer/model/draft';
import { requestOf } from '@/features/composer/model/request';
import { attachment, capabilities } from './samples';

const moving: ClipSettings = {
  ...DEFAULT_CLIP,
  frames: true,
  backend: 'webui_deforum',
  numFrames: '24',
  fps: '12',
  strength: '0,4',
  seedMode: 'fixed',
  container: 'webm',
  preset: 'slow',
  keepFrames: true,
};

describe('the chain of a motion clip', () => {
  it('shows attached pictures in turn and leaves open what is empty', () => {
    expect(stagesOf({ ...DEFAULT_CLIP, camera: 'zoom' }, 'stills', '', null)).toEqual([
      {
        kind: 'video_render',
        container: 'mp4',
        keep_frames: false,
        preset: 'medium',
        camera_motion: 'zoom',
      },
    ]);
  });

  it('draws a picture from words and sets it in motion', () => {
    expect(stagesOf(moving, 'words', '77', 'sound')).toEqual([
      { kind: 'txt2img' },
      {
        kind: 'video_frames',
        backend: 'webui_deforum',
        seed_mode: 'fixed',
        num_frames: 24,
        fps: 12,
        strength: 0.4,
        seed: 77,
      },
      {
        kind: 'video_render',
        container: 'webm',
        keep_frames: true,
        preset: 'slow',
        audio_asset_id: 'sound',
      },
    ]);
  });

  it('gives a moving picture neither sound nor compression', () => {
    const [render] = stagesOf({ ...DEFAULT_CLIP, container: 'gif' }, 'stills', '', 'sound');
    expect(render).not.toHaveProperty('audio_asset_id');
    expect(render).not.toHaveProperty('preset');
  });

  it('names the pack in place of the words and changes nothing of it', () => {
    const settings = { ...EMPTY_DRAFT.settings, clip: { ...DEFAULT_CLIP, pack: 'meadow@1.0.0' } };
    const draft = { task: 'motion_clip' as const, prompt: 'typed before', settings };
    const body = requestOf(draft, [attachment('ground_truth'), attachment('reference')], undefined);
    expect(body).toMatchObject({
      mode: 'motion_clip',
      prompt: '',
      prompt_pack: 'meadow@1.0.0',
      ground_truth_asset_id: 'id-ground_truth',
      stages: [{ kind: 'img2img' }, { kind: 'video_render' }],
    });
    expect(body).not.toHaveProperty('reference_asset_ids');
  });

  it('comes back from the plan that it became', () => {
    const plan = {
      prompt_pack: { name: 'meadow', version: '1.0.0' },
      stages: [
        { kind: 'txt2img' },
        {
          kind: 'video_frames',
          backend: 'webui_deforum',
          num_frames: 24,
          fps: 12,
          seed_mode: 'fixed',
          strength: 0.4,
        },
        { kind: 'video_render', container: 'webm', preset: 'slow', keep_frames: true, fps: 12 },
      ],
    } as unknown as JobPlan;
    expect(clipOfPlan(plan)).toEqual({ ...moving, pack: 'meadow@1.0.0', strength: '0.4' });
  });
});

describe('what keeps a motion clip from being made', () => {
  const sentences = (clip: Partial<ClipSettings>, seed = '', given = capabilities()) =>
    clipNeeds({ ...moving, ...clip }, 'words', seed, given).map((need) => need.sentence);

  it('is nothing when everything is right', () => {
    expect(sentences({}, '77')).toEqual([]);
  });

  it.each([
    [{ fps: '61' }, /Frames per second/],
    [{ fps: 'fast' }, /Frames per second/],
    [{ numFrames: '1' }, /number of frames/],
    [{ strength: '1.5' }, /from 0 to 1/],
    [{ frames: false, stillSeconds: '0' }, /0\.1 seconds/],
  ])('is said for %o', (change, said) => {
    expect(sentences(change, '77')).toEqual([expect.stringMatching(said)]);
  });

  it('is a fixed seed that is not given', () => {
    expect(sentences({})).toEqual([expect.stringMatching(/seed/)]);
  });

  it('is a way of moving, or of drawing, that no engine has', () => {
    const none = capabilities();
    none.motion_clip.backends.forEach((backend) => (backend.available = false));
    expect(sentences({}, '77', none)).toEqual([expect.stringMatching(/not available here/)]);
    none.motion_clip.stages.forEach((stage) => (stage.available = false));
    expect(sentences({}, '77', none)).toHaveLength(2);
  });

  it('is words, unless a pack brings them or nothing is drawn', () => {
    expect(needsWords(DEFAULT_CLIP, 'words')).toBe(true);
    expect(needsWords(DEFAULT_CLIP, 'stills')).toBe(false);
    expect(needsWords(moving, 'stills')).toBe(true);
    expect(needsWords({ ...moving, pack: 'meadow@1.0.0' }, 'words')).toBe(false);
  });

  it('takes pictures, one picture or words as the beginning', () => {
    expect(sourceOf(['still', 'ground_truth'])).toBe('stills');
    expect(sourceOf(['ground_truth', 'audio'])).toBe('picture');
    expect(sourceOf([])).toBe('words');
  });
});
