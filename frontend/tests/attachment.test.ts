import { describe, expect, it } from 'vitest';
import { added, carried, fromAsset, reassigned } from '@/features/composer/model/attachment';
import { asset, attachment } from './samples';

describe('attachments', () => {
  it('keep a picture that loses its place as a reference, without its crop', () => {
    const crop = { x_px: 0, y_px: 0, width_px: 100, height_px: 100 };
    const before = [attachment('ground_truth', { key: 'old', crop })];
    const after = added(before, attachment('ground_truth', { key: 'new' }));
    expect(after.map((a) => [a.key, a.role, a.crop])).toEqual([
      ['old', 'reference', null],
      ['new', 'ground_truth', null],
    ]);
  });

  it('replace the motion video by a newer one', () => {
    const after = added(
      [attachment('motion_video', { key: 'old' })],
      attachment('motion_video', { key: 'new' }),
    );
    expect(after.map((a) => a.key)).toEqual(['new']);
  });

  it('hold any number of references', () => {
    const after = added(
      [attachment('reference', { key: '1' })],
      attachment('reference', { key: '2' }),
    );
    expect(after).toHaveLength(2);
  });

  it('swap when a reference becomes the character', () => {
    const after = reassigned(
      [attachment('ground_truth', { key: 'a' }), attachment('reference', { key: 'b' })],
      'b',
      'ground_truth',
    );
    expect(after.map((a) => [a.key, a.role])).toEqual([
      ['a', 'reference'],
      ['b', 'ground_truth'],
    ]);
  });

  it('go along under another name when the task changes, and back', () => {
    const list = [attachment('ground_truth'), attachment('motion_video')];
    const posed = carried(list, 'pose_control');
    expect(posed.map((a) => a.role)).toEqual(['ground_truth', 'control_video']);
    expect(carried(posed, 'mix').map((a) => a.role)).toEqual(['ground_truth', 'motion_video']);
    expect(carried(list, 'start_end').map((a) => a.role)).toEqual(['start_frame', 'motion_video']);
  });

  it('carry the refusal of the gateway in its own words', () => {
    const error = {
      code: 'image_too_small' as const,
      failure_class: 'invalid_asset_format' as const,
      retryable: false,
      sentence: 'The image is too small.',
      remedy: 'Use a larger one.',
    };
    expect(
      fromAsset(asset({ status: 'rejected', error: { ...error, field: null } })),
    ).toMatchObject({
      state: 'refused',
      problem: { sentence: 'The image is too small.', remedy: 'Use a larger one.' },
    });
  });
});
