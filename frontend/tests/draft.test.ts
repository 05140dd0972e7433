import { describe, expect, it } from 'vitest';
import {
  DEFAULT_SETTINGS,
  EMPTY_DRAFT,
  read,
  type Settings,
  written,
} from '@/features/composer/model/draft';
import { attachment } from './samples';

const settings: Settings = {
  aspect: '16:9',
  quality: 'high',
  seed: '12',
  duration: '2.5',
  negative: 'blur',
  relighting: true,
  framing: 'full_body',
  adherence: 'loose',
  control: 'canny',
  extension: '2',
  keywords: 'rain, neon',
  poses: 'arms up; sitting',
  clip: {
    pack: 'meadow@1.0.0',
    frames: true,
    backend: 'webui_deforum',
    numFrames: '24',
    fps: '12',
    strength: '0.4',
    seedMode: 'fixed',
    container: 'webm',
    preset: 'slow',
    keepFrames: true,
    camera: 'pan',
    stillSeconds: '3',
  },
};

describe('the kept draft', () => {
  it('comes back as it was, settings and attachments', () => {
    const crop = { x_px: 0, y_px: 10, width_px: 90, height_px: 160 };
    const draft = { task: 'audio' as const, prompt: 'she sings', settings };
    const text = written(draft, [attachment('ground_truth', { crop }), attachment('audio')]);
    expect(read(text)).toEqual({
      ...draft,
      attachments: [
        { role: 'ground_truth', assetId: 'id-ground_truth', crop },
        { role: 'audio', assetId: 'id-audio', crop: null },
      ],
      unfinished: [],
    });
  });

  it('forgets files that were refused', () => {
    const { attachments, unfinished } = read(
      written(EMPTY_DRAFT, [attachment('audio', { state: 'refused' })]),
    );
    expect([attachments, unfinished]).toEqual([[], []]);
  });

  it('remembers by name what did not wholly reach the server, however often it is left', () => {
    const cut = ['uploading', 'waiting', 'interrupted'] as const;
    for (const state of cut) {
      const one = attachment('ground_truth', { assetId: null, state, name: 'hero.png' });
      const { attachments, unfinished } = read(written(EMPTY_DRAFT, [one]));
      expect(attachments).toEqual([]);
      expect(unfinished).toEqual([{ role: 'ground_truth', name: 'hero.png', crop: null }]);
    }
  });

  it.each([null, '', 'not json', '[]', '{"settings":5,"attachments":[1,{}]}'])(
    'falls back to the default for %j',
    (text) => {
      expect(read(text)).toEqual({ ...EMPTY_DRAFT, unfinished: [] });
    },
  );

  it('takes no unknown task and no unknown value', () => {
    const text = JSON.stringify({ task: 'knitting', settings: { ...settings, aspect: '4:3' } });
    expect(read(text)).toMatchObject({
      task: 'move',
      settings: { ...settings, aspect: DEFAULT_SETTINGS.aspect },
    });
  });
});
