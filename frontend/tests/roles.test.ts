import { describe, expect, it } from 'vitest';
import {
  guessRole,
  kindOfFile,
  emptyPlaces,
  rolesIn,
  taskFor,
} from '@/features/composer/model/roles';

describe('what a file is', () => {
  it.each([
    ['hero.PNG', '', 'image'],
    ['photo.heic', '', 'image'],
    ['walk.mov', 'video/quicktime', 'video'],
    ['voice.ogg', 'audio/ogg', 'audio'],
    ['picture', 'image/png', 'image'],
    ['notes.pdf', 'application/pdf', null],
    ['film.mkv', 'video/x-matroska', null],
    ['unknown', '', null],
  ])('%s of type "%s" is %s', (name, type, kind) => {
    expect(kindOfFile({ name, type })).toBe(kind);
  });
});

describe('the guess of a role', () => {
  it('makes the first picture the character and later ones references', () => {
    expect(guessRole('image', 'a.png', 'move', [])).toBe('ground_truth');
    expect(guessRole('image', 'b.png', 'move', ['ground_truth'])).toBe('reference');
  });

  it('knows pose sheets by their names', () => {
    expect(guessRole('image', 'Pose_Sheet-2.png', 'audio', [])).toBe('pose_sheet');
    expect(guessRole('image', 'turnaround.webp', 'mix', ['ground_truth'])).toBe('pose_sheet');
  });

  it('gives videos and sound their only role', () => {
    expect(guessRole('video', 'x.mp4', 'audio', [])).toBe('motion_video');
    expect(guessRole('audio', 'x.wav', 'move', [])).toBe('audio');
  });
});

describe('the guess in other tasks', () => {
  it('fills the start frame, then the end frame, then references', () => {
    const next = (taken: ('start_frame' | 'end_frame')[]) =>
      guessRole('image', 'a.png', 'start_end', taken);
    expect([next([]), next(['start_frame']), next(['start_frame', 'end_frame'])]).toEqual([
      'start_frame',
      'end_frame',
      'reference',
    ]);
  });

  it('takes a video as control where poses are controlled', () => {
    expect(guessRole('video', 'x.mp4', 'pose_control', [])).toBe('control_video');
  });

  it('shows no empty place for a control video once there are pose sheets', () => {
    expect(emptyPlaces('pose_control', ['ground_truth', 'pose_sheet'])).toEqual([]);
    expect(emptyPlaces('start_end', ['end_frame'])).toEqual(['start_frame']);
  });
});

describe('visibility of roles', () => {
  it('shows motion video in Animate only and audio in Audio performance only', () => {
    for (const task of ['move', 'mix'] as const) {
      expect(rolesIn(task)).toContain('motion_video');
      expect(rolesIn(task)).not.toContain('audio');
    }
    expect(rolesIn('audio')).toContain('audio');
    expect(rolesIn('audio')).not.toContain('motion_video');
  });

  it('always shows the ground truth, references and pose sheets', () => {
    for (const task of ['move', 'mix', 'audio'] as const) {
      expect(rolesIn(task)).toEqual(
        expect.arrayContaining(['ground_truth', 'reference', 'pose_sheet']),
      );
      expect(emptyPlaces(task, [])).toContain('ground_truth');
    }
  });

  it('names the task to change to for a file that the present one does not use', () => {
    expect(taskFor('audio', 'move')).toBe('audio');
    expect(taskFor('motion_video', 'audio')).toBe('move');
    expect(taskFor('motion_video', 'mix')).toBeNull();
  });
});
