import { describe, expect, it } from 'vitest';
import {
  INITIAL,
  next,
  retryAfter,
  type StreamInput,
  type StreamState,
} from '@/features/runs/model/stream';

function fed(...inputs: StreamInput[]) {
  let state: StreamState = INITIAL;
  let effects: string[] = [];
  for (const input of inputs) {
    const step = next(state, input);
    state = step.state;
    effects = step.effects.map((effect) => effect.kind);
  }
  return { state, effects };
}

const live: StreamInput[] = [{ kind: 'start' }, { kind: 'opened' }, { kind: 'ready', id: '5' }];

describe('the live connection', () => {
  it('opens from now on and reads the list when it is ready', () => {
    expect(next(INITIAL, { kind: 'start' }).effects).toEqual([{ kind: 'open', after: null }]);
    expect(fed(...live)).toMatchObject({
      state: { phase: 'live', lastId: '5', everLive: true },
      effects: ['reconcile'],
    });
  });

  it('polls while it is lost, and only once', () => {
    expect(fed(...live, { kind: 'failed' }).effects).toEqual(['close', 'retryIn', 'startPolling']);
    expect(fed(...live, { kind: 'failed' }, { kind: 'retry' }, { kind: 'failed' }).effects).toEqual(
      ['close', 'retryIn'],
    );
  });

  it('resumes after the last durable event that it saw', () => {
    const { state } = fed(...live, { kind: 'durable', id: '9' }, { kind: 'failed' });
    expect(next(state, { kind: 'retry' }).effects).toEqual([{ kind: 'open', after: '9' }]);
  });

  it('stops polling and reads again what is outside the stream when it is back', () => {
    const back = fed(...live, { kind: 'failed' }, { kind: 'retry' }, { kind: 'opened' });
    expect(back).toMatchObject({
      state: { phase: 'live', attempts: 0 },
      effects: ['stopPolling', 'reconcile'],
    });
  });

  it('waits longer after each failure, but never long', () => {
    expect([0, 1, 2, 50].map(retryAfter)).toEqual([500, 1000, 2000, 8000]);
  });

  it('tries at once when the browser is online again, unless it is live', () => {
    expect(fed(...live, { kind: 'failed' }, { kind: 'wake' }).effects).toEqual(['open']);
    expect(fed(...live, { kind: 'wake' }).effects).toEqual([]);
  });

  it('reads everything again when too much was missed', () => {
    expect(fed(...live, { kind: 'reload', id: '5000' })).toMatchObject({
      state: { lastId: '5000' },
      effects: ['reconcile'],
    });
  });

  it('closes and falls silent at the end', () => {
    expect(fed(...live, { kind: 'stop' }).effects).toEqual(['close', 'stopPolling']);
  });
});
