import { describe, expect, it } from 'vitest';
import type { CharacterView } from '@/api/types';
import { DEFAULT_SETTINGS, type Settings } from '@/features/composer/model/draft';
import {
  attachmentsOf,
  characterOf,
  settingsOfStyle,
  styleOf,
} from '@/features/composer/model/library';
import { attachment } from './samples';

describe('a kept character', () => {
  it('comes back as the pictures that it was made of', () => {
    const crop = { x_px: 1, y_px: 2, width_px: 30, height_px: 40 };
    const desk = [
      attachment('ground_truth', { crop }),
      attachment('reference'),
      attachment('pose_sheet'),
      attachment('motion_video'),
    ];
    const draft = characterOf(' Mira ', desk);
    expect(draft).toEqual({
      name: 'Mira',
      ground_truth_asset_id: 'id-ground_truth',
      crop,
      reference_asset_ids: ['id-reference'],
      pose_sheet_asset_ids: ['id-pose_sheet'],
    });
    expect(attachmentsOf(draft as CharacterView)).toEqual([
      { role: 'ground_truth', assetId: 'id-ground_truth', crop },
      { role: 'reference', assetId: 'id-reference', crop: null },
      { role: 'pose_sheet', assetId: 'id-pose_sheet', crop: null },
    ]);
  });

  it('needs a picture that is ready', () => {
    expect(characterOf('Mira', [attachment('reference')])).toBeNull();
    expect(characterOf('Mira', [attachment('ground_truth', { state: 'checking' })])).toBeNull();
  });
});

describe('a kept style', () => {
  it('comes back with the settings that it holds, and leaves the others alone', () => {
    const settings: Settings = {
      ...DEFAULT_SETTINGS,
      keywords: 'rain, neon',
      negative: 'blur',
      aspect: '16:9',
      quality: 'high',
      relighting: true,
      framing: 'half_body',
      adherence: 'strict',
      seed: '5',
    };
    const back = settingsOfStyle(styleOf(settings));
    expect({ ...settings, ...back }).toEqual(settings);
    expect(back).not.toHaveProperty('seed');
  });

  it('changes nothing that it leaves open', () => {
    expect(settingsOfStyle({ keywords: [] })).toEqual({ keywords: '', negative: '' });
  });
});
