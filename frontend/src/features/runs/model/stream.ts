/**
 * The life of the one live connection, as a pure machine: what happens leads to a next state and
 * to things to do. The adapter in api/live.ts does them.
 */
export type Phase = 'connecting' | 'live' | 'lost';

export interface StreamState {
  phase: Phase;
  /** Attempts since the connection was last live. */
  attempts: number;
  /** The last durable event seen: where to resume. */
  lastId: string | null;
  /** True once it was live: the first connecting is not a loss. */
  everLive: boolean;
}

export type StreamInput =
  | { kind: 'start' }
  | { kind: 'ready'; id: string }
  | { kind: 'reload'; id: string }
  | { kind: 'durable'; id: string }
  | { kind: 'opened' }
  | { kind: 'failed' }
  | { kind: 'retry' }
  | { kind: 'wake' }
  | { kind: 'stop' };

export type StreamEffect =
  | { kind: 'open'; after: string | null }
  | { kind: 'close' }
  | { kind: 'retryIn'; ms: number }
  | { kind: 'startPolling' }
  | { kind: 'stopPolling' }
  | { kind: 'reconcile' };

export const INITIAL: StreamState = {
  phase: 'connecting',
  attempts: 0,
  lastId: null,
  everLive: false,
};

const RETRY_MS = [500, 1000, 2000, 4000, 8000];

export function retryAfter(attempts: number): number {
  return RETRY_MS[Math.min(attempts, RETRY_MS.length - 1)] ?? 8000;
}

export function next(
  state: StreamState,
  input: StreamInput,
): { state: StreamState; effects: StreamEffect[] } {
  switch (input.kind) {
    case 'start':
      return { state: INITIAL, effects: [{ kind: 'open', after: null }] };
    case 'opened':
      return goLive(state, state.everLive);
    case 'ready':
    case 'reload': {
      // A stream that starts anew may have missed something since the list was read.
      const live = goLive({ ...state, lastId: input.id }, false);
      return { state: live.state, effects: [...live.effects, { kind: 'reconcile' }] };
    }
    case 'durable':
      return { state: { ...state, lastId: input.id }, effects: [] };
    case 'failed':
      return lose(state);
    case 'retry':
    case 'wake':
      if (state.phase !== 'lost') return { state, effects: [] };
      return { state, effects: [{ kind: 'open', after: state.lastId }] };
    case 'stop':
      return { state, effects: [{ kind: 'close' }, { kind: 'stopPolling' }] };
  }
}

function goLive(state: StreamState, reconcile: boolean) {
  const wasLost = state.phase === 'lost';
  const effects: StreamEffect[] = [];
  if (wasLost) effects.push({ kind: 'stopPolling' });
  // What is told twice does no harm; what lies outside the stream (places in the queue) is re-read.
  if (wasLost && reconcile) effects.push({ kind: 'reconcile' });
  const live: StreamState = { ...state, phase: 'live', attempts: 0, everLive: true };
  return { state: live, effects };
}

function lose(state: StreamState): { state: StreamState; effects: StreamEffect[] } {
  const effects: StreamEffect[] = [
    { kind: 'close' },
    { kind: 'retryIn', ms: retryAfter(state.attempts) },
  ];
  if (state.phase !== 'lost') effects.push({ kind: 'startPolling' });
  return { state: { ...state, phase: 'lost', attempts: state.attempts + 1 }, effects };
}
