import { describe, expect, it } from 'vitest';
import type { JobPlan } from '@/api/types';
import { DEFAULT_SETTINGS, type Draft, type Settings } from '@/features/composer/model/draft';
import {
  againOf,
  decimal,
  requestOf,
  requestOfKept,
  variantOf,
} from '@/features/composer/model/request';
import { attachment, job, profile } from './samples';

const draft = (task: Draft['task'], settings: Partial<Settings> = {}): Draft => ({
  task,
  prompt: '  a walk  ',
  settings: { ...DEFAULT_SETTINGS, ...settings },
});
const everything = [
  attachment('ground_truth'),
  attachment('motion_video'),
  attachment('audio'),
  attachment('reference'),
  attachment('pose_sheet'),
];

describe('the request', () => {
  it('names for Animate exactly what Animate takes', () => {
    expect(requestOf(draft('mix'), everything, profile())).toEqual({
      mode: 'animate',
      animate_submode: 'mix',
      prompt: 'a walk',
      ground_truth_asset_id: 'id-ground_truth',
      motion_video_asset_id: 'id-motion_video',
      reference_asset_ids: ['id-reference'],
      pose_sheet_asset_ids: ['id-pose_sheet'],
      aspect_ratio: '9:16',
      quality_profile: 'standard',
    });
  });

  it('names for Audio performance exactly what that takes', () => {
    const settings = { framing: 'half_body', adherence: 'strict', relighting: true } as const;
    expect(requestOf(draft('audio', settings), everything.slice(0, 3), profile())).toEqual({
      mode: 'audio_performance',
      prompt: 'a walk',
      ground_truth_asset_id: 'id-ground_truth',
      audio_asset_id: 'id-audio',
      aspect_ratio: '9:16',
      quality_profile: 'standard',
      framing_mode: 'half_body',
      audio_adherence_profile: 'strict',
    });
  });

  it('names the frames of Start & end frame and no character', () => {
    const list = [attachment('start_frame'), attachment('end_frame'), attachment('ground_truth')];
    expect(requestOf(draft('start_end'), list, profile())).toEqual({
      mode: 'start_end',
      prompt: 'a walk',
      start_frame_asset_id: 'id-start_frame',
      end_frame_asset_id: 'id-end_frame',
      aspect_ratio: '9:16',
      quality_profile: 'standard',
    });
  });

  it('controls poses by a video, or by pose sheets in turn', () => {
    const video = [attachment('ground_truth'), attachment('control_video')];
    const edges = draft('pose_control', { control: 'canny' });
    expect(requestOf(edges, video, profile())).toMatchObject({
      mode: 'pose_control',
      control_video_asset_id: 'id-control_video',
      control_kind: 'canny',
    });
    expect(variantOf(edges, video)).toBe('canny');
    const sheets = [attachment('ground_truth'), attachment('pose_sheet')];
    const body = requestOf(edges, sheets, profile());
    expect(body).toMatchObject({ pose_sheet_asset_ids: ['id-pose_sheet'] });
    expect(body).not.toHaveProperty('control_kind');
    expect(variantOf(edges, sheets)).toBe('pose_sheet');
  });

  it('sends keywords as a list, and key poses only with pose sheets', () => {
    const settings = { keywords: 'rain, neon;;', poses: 'arms up; sitting', extension: '2' };
    const sheets = [attachment('pose_sheet')];
    const wired = profile({ settings: ['extension_segments'] });
    expect(requestOf(draft('move', settings), sheets, wired)).toMatchObject({
      keywords: ['rain', 'neon'],
      key_pose_hints: ['arms up', 'sitting'],
      extension_segments: 2,
    });
    const without = requestOf(draft('move', settings), [], profile({ settings: [] }));
    expect(without).not.toHaveProperty('key_pose_hints');
    expect(without).not.toHaveProperty('extension_segments');
  });

  it('leaves out settings without a wire in the profile', () => {
    const settings = { negative: 'blur', relighting: true, seed: '0', duration: '2,5' };
    const body = requestOf(draft('mix', settings), everything, profile({ settings: [] }));
    expect(body).not.toHaveProperty('negative_prompt');
    expect(body).not.toHaveProperty('relighting');
    expect(body).toMatchObject({ seed: 0, duration_override_seconds: 2.5 });
  });

  it('carries the crop of the ground truth only', () => {
    const crop = { x_px: 1, y_px: 2, width_px: 300, height_px: 400 };
    const body = requestOf(draft('move'), [attachment('ground_truth', { crop })], profile());
    expect(body).toMatchObject({ crop });
  });

  it('never names a refused or unsent file', () => {
    const list = [
      attachment('ground_truth', { state: 'refused' }),
      attachment('motion_video', { state: 'uploading', assetId: null }),
    ];
    expect(requestOf(draft('move'), list, profile())).toMatchObject({
      ground_truth_asset_id: null,
      motion_video_asset_id: null,
    });
  });

  it('reads numbers with a point or a comma and nothing else', () => {
    expect([decimal('2.5'), decimal(' 2,5 '), decimal('3')]).toEqual([2.5, 2.5, 3]);
    expect(decimal('two')).toBeNaN();
    expect(decimal('')).toBeNaN();
  });
});

function plan(change: object = {}): JobPlan {
  const facts = { kind: 'video', duration_s: 5 };
  return {
    seed: 7,
    negative_prompt: 'blur',
    media: [{ role: 'ground_truth', recipe: { kind: 'image', crop: null } }],
    assets: [{ role: 'motion_video', used: true, facts }],
    delivery: { frames: 77, fps: 16, width_px: 576, height_px: 1024 },
    ...change,
  } as unknown as JobPlan;
}

describe('making a job again', () => {
  it('gives back the same request, seed and all', () => {
    const again = againOf(job(), plan(), true);
    expect(again.task).toBe('move');
    expect(again.settings).toMatchObject({ seed: '7', negative: 'blur', duration: '' });
    expect(requestOfKept(again, profile())).toMatchObject({
      prompt: 'a walk in the park',
      seed: 7,
      ground_truth_asset_id: 'id-ground_truth',
    });
  });

  it('leaves the seed open for a variation', () => {
    expect(requestOfKept(againOf(job(), plan(), false), profile())).not.toHaveProperty('seed');
  });

  it('brings back the crop and a duration that was asked for', () => {
    const crop = { x_px: 1, y_px: 2, width_px: 300, height_px: 400 };
    const made = plan({
      media: [{ role: 'ground_truth', recipe: { kind: 'image', crop } }],
      delivery: { frames: 32, fps: 16, width_px: 576, height_px: 1024 },
    });
    const body = requestOfKept(againOf(job(), made, true), profile());
    expect(body).toMatchObject({ crop, duration_override_seconds: 2 });
  });
});
