import { describe, expect, it } from 'vitest';
import { merged, patched, progressed, started, told, without } from '@/features/runs/model/list';
import { type Run, runOf } from '@/features/runs/model/run';
import type { JobAssetView } from '@/api/types';
import { matches } from '@/features/runs/model/store';
import { shareOf, stateOf } from '@/features/runs/model/words';
import { job } from './samples';

const at = (seconds: number) => `2026-01-01T10:00:${String(seconds).padStart(2, '0')}Z`;
const progress = { percent: 46.4, step: 2, steps: 3, segment: 2, segments: 3, phase: 'generating' };
const sending: Run = { ...runOf(job()), key: 'way', jobId: null, status: 'sending', job: null };

describe('the list of runs', () => {
  it('is newest first, and what is on its way comes before all', () => {
    const list = merged(
      [],
      [job({ job_id: 'a', created_at: at(1) }), job({ job_id: 'b', created_at: at(2) })],
    );
    expect(started(list, { ...sending, createdAt: at(0) }).map((r) => r.key)).toEqual([
      'way',
      'b',
      'a',
    ]);
  });

  it('does not let an older answer undo what the stream told', () => {
    const list = told(merged([], [job({ updated_at: at(1) })]), {
      jobId: 'j-1',
      status: 'completed',
      at: at(9),
      error: null,
    });
    expect(merged(list, [job({ status: 'executing', updated_at: at(5) })])[0]?.status).toBe(
      'completed',
    );
    expect(
      merged(list, [job({ status: 'completed', updated_at: at(9), video_url: '/v' })])[0],
    ).toMatchObject({ status: 'completed', videoUrl: '/v' });
  });

  it('does not let late news undo a newer answer', () => {
    const list = merged([], [job({ status: 'executing', updated_at: at(5) })]);
    const after = told(list, { jobId: 'j-1', status: 'queued', at: at(2), error: null });
    expect(after[0]?.status).toBe('executing');
  });

  it('shows progress of what runs, never of what has ended', () => {
    const running = progressed(merged([], [job()]), 'j-1', progress);
    expect(running[0]).toMatchObject({ status: 'executing', position: null });
    const ended = progressed(merged([], [job({ status: 'completed' })]), 'j-1', progress);
    expect(ended[0]?.status).toBe('completed');
  });

  it('leaves what an engine holds back in the queue', () => {
    const held = progressed(merged([], [job()]), 'j-1', { ...progress, phase: 'waiting' });
    expect(held[0]?.status).toBe('queued');
    expect(stateOf(held[0]!)).toBe('Waiting: you are next');
  });

  it('keeps one card when the stream told of a job before its submit was answered', () => {
    const list = merged([sending], [job({ status: 'executing' })]);
    const after = patched(list, 'way', { jobId: 'j-1', status: 'accepted' });
    expect(after).toHaveLength(1);
    expect(after[0]).toMatchObject({ key: 'way', jobId: 'j-1', status: 'executing' });
    expect(merged(after, [job({ status: 'executing' })])[0]?.key).toBe('way');
  });

  it('forgets deleted jobs by either name', () => {
    expect(without(merged([], [job()]), 'j-1')).toEqual([]);
  });
});

describe('the words of a state', () => {
  const said = (change: Partial<Run>) => stateOf({ ...runOf(job()), ...change });

  it('say the place in the queue', () => {
    expect(said({ position: 3 })).toBe('Waiting: 2 ahead of you');
    expect(said({ position: 1 })).toBe('Waiting: you are next');
    expect(said({ position: null })).toBe('Waiting for the generator');
  });

  it('say which part is generated and how far', () => {
    expect(said({ status: 'executing', progress })).toBe('Generating: part 2 of 3, 46 %');
    const single = { ...progress, steps: 1, step: 1, segments: 1, segment: 1 };
    expect(said({ status: 'executing', progress: single })).toBe('Generating: 46 %');
    expect(said({ status: 'executing', progress: null })).toBe('Starting to generate');
    const away = { ...progress, phase: 'unreachable' };
    expect(said({ status: 'executing', progress: away })).toContain('does not answer');
  });

  it('say why something failed and what to do', () => {
    const error = {
      sentence: 'No person is visible.',
      remedy: 'Try another video.',
      retryable: true,
    };
    expect(said({ status: 'failed', error })).toBe(
      'Could not be made: No person is visible. Try another video.',
    );
  });

  it('never claim a share that nobody knows', () => {
    expect(shareOf({ ...runOf(job()), status: 'queued' })).toBeNull();
    expect(shareOf({ ...runOf(job()), status: 'executing', progress })).toBeCloseTo(0.464);
  });

  it('says how far the finishing is only where that is known', () => {
    const finishing = runOf(job({ status: 'collecting_outputs' }));
    const heard = (phase: string, percent: number) =>
      progressed([finishing], 'j-1', { ...progress, phase, percent })[0]!;
    for (const run of [finishing, heard('generating', 99), heard('collecting', 99)]) {
      expect([shareOf(run), stateOf(run)]).toEqual([null, 'Finishing up']);
    }
    const rendering = heard('collecting', 62.5);
    expect([shareOf(rendering), stateOf(rendering)]).toEqual([0.625, 'Finishing up: 62 %']);
  });

  it('is narrowed by every word of the prompt, in any case', () => {
    const run = runOf(job({ prompt: 'A dancer turns' }));
    expect(matches(run, { q: 'TURNS  dan' })).toBe(true);
    expect(matches(run, { q: 'turns left' })).toBe(false);
    expect(matches(run, { q: 'dancer', status: 'failed' })).toBe(false);
  });
});

describe('the picture of a video that is not made yet', () => {
  const face = (...roles: JobAssetView['role'][]) =>
    runOf(job({ assets: roles.map(named) })).thumbnailUrl;
  const named = (role: JobAssetView['role'], index: number): JobAssetView => ({
    role,
    index,
    asset_id: `a-${role}`,
    used: true,
    note: null,
  });

  it('is its character, else what it begins with, else none', () => {
    expect(face('pose_sheet', 'ground_truth')).toBe('/api/assets/a-ground_truth/thumbnail');
    expect(face('end_frame', 'start_frame')).toBe('/api/assets/a-start_frame/thumbnail');
    expect(face('audio', 'still')).toBe('/api/assets/a-still/thumbnail');
    expect(face('audio')).toBeNull();
  });
});
