import { describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS, type Draft, type Settings } from '@/features/composer/model/draft';
import { needsOf, needsOfProblems, sentencesAt } from '@/features/composer/model/validation';
import { strings } from '@/strings';
import { attachment, capabilities, profile } from './samples';

const draft = (change: Partial<Draft> = {}, settings: Partial<Settings> = {}): Draft => ({
  task: 'move',
  prompt: 'a walk',
  settings: { ...DEFAULT_SETTINGS, ...settings },
  ...change,
});
const files = [attachment('ground_truth'), attachment('motion_video')];
const places = (
  d: Draft,
  list = files,
  caps: ReturnType<typeof capabilities> | null = capabilities(),
) => needsOf(d, list, caps, profile()).map((need) => need.place);

describe('what is still needed', () => {
  it('is nothing when all is there, also before the capabilities are known', () => {
    expect(places(draft())).toEqual([]);
    expect(places(draft(), files, null)).toEqual([]);
  });

  it('is said for every missing thing at once', () => {
    expect(places(draft({ prompt: ' ' }), [])).toEqual(['ground_truth', 'motion_video', 'prompt']);
    expect(places(draft({ task: 'audio' }), files)).toEqual(['audio']);
  });

  it('counts files that are still on their way or refused', () => {
    const uploading = [attachment('ground_truth', { state: 'uploading' }), files[1]!];
    expect(needsOf(draft(), uploading, null, undefined)).toEqual([
      { place: 'files', sentence: strings.needs.uploading },
    ]);
    const refused = [attachment('ground_truth', { state: 'refused' }), files[1]!];
    expect(needsOf(draft(), refused, null, undefined)[0]?.sentence).toBe(strings.needs.refused);
  });

  it('ignores files that the task does not show', () => {
    const hidden = [...files, attachment('audio', { state: 'refused' })];
    expect(places(draft(), hidden)).toEqual([]);
  });

  it.each([
    [{ seed: '-1' }, 'seed'],
    [{ seed: '1.5' }, 'seed'],
    [{ seed: '99999999999999999' }, 'seed'],
    [{ duration: 'long' }, 'duration'],
    [{ duration: '0' }, 'duration'],
    [{ duration: '60' }, 'duration'],
  ])('refuses %j beside its field', (settings, place) => {
    expect(places(draft({}, settings))).toEqual([place]);
  });

  it('says when a text is too long or a task cannot be made here', () => {
    expect(places(draft({ prompt: 'x'.repeat(101) }))).toEqual(['prompt']);
    expect(places(draft(), files, capabilities({ modes: [] }))).toEqual(['task']);
  });
});

describe('refusals of the gateway', () => {
  it('stand beside the field that they name', () => {
    const problem = { code: 'internal' as const, sentence: 'No.', remedy: 'Do this.' };
    const needs = needsOfProblems([
      { ...problem, field: 'motion_video_asset_id' },
      { ...problem, field: 'reference_asset_ids[1]' },
      { ...problem, field: 'crop' },
      { ...problem, field: 'something_new' },
      { ...problem, field: null },
    ]);
    expect(needs.map((need) => need.place)).toEqual([
      'motion_video',
      'reference',
      'ground_truth',
      'general',
      'general',
    ]);
    expect(sentencesAt(needs, 'motion_video')).toBe('No. Do this.');
    expect(sentencesAt(needs, 'seed')).toBeUndefined();
  });
});
