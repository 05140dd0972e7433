/** Carries out what the stream machine decides: one EventSource, timers, polling. */
import type { ErrorView, ProgressView, PublicState } from '@/api/types';
import { progressed, told, without } from '../model/list';
import { reconcile, refresh, refreshPlaces } from '../model/loading';
import { hasEnded } from '../model/run';
import { update, useRuns } from '../model/store';
import {
  INITIAL,
  next,
  type StreamEffect,
  type StreamInput,
  type StreamState,
} from '../model/stream';

const STATES = [
  'accepted',
  'uploaded',
  'queued',
  'executing',
  'collecting_outputs',
  'completed',
  'failed',
  'cancelled',
] as const satisfies readonly PublicState[];
const POLL_EVERY_MS = 3000;
const PLACES_AFTER_MS = 400;

interface Told {
  job_id: string;
  status: PublicState;
  at: string;
  error?: ErrorView;
}

interface ToldProgress {
  job_id: string;
  progress: ProgressView;
}

/** Starts listening; returns how to stop. */
export function listen(): () => void {
  let state: StreamState = INITIAL;
  let source: EventSource | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let polling: ReturnType<typeof setInterval> | undefined;
  let places: ReturnType<typeof setTimeout> | undefined;

  function feed(input: StreamInput) {
    const step = next(state, input);
    state = step.state;
    useRuns.setState({ phase: state.phase, everLive: state.everLive });
    for (const effect of step.effects) carryOut(effect);
  }

  function carryOut(effect: StreamEffect) {
    switch (effect.kind) {
      case 'open':
        open(effect.after);
        break;
      case 'close':
        source?.close();
        source = null;
        break;
      case 'retryIn':
        clearTimeout(retry);
        retry = setTimeout(() => feed({ kind: 'retry' }), effect.ms);
        break;
      case 'startPolling':
        polling = setInterval(() => void reconcile(), POLL_EVERY_MS);
        break;
      case 'stopPolling':
        clearInterval(polling);
        clearTimeout(retry);
        break;
      case 'reconcile':
        void reconcile();
        break;
    }
  }

  function open(after: string | null) {
    source?.close();
    const stream = new EventSource(after === null ? '/api/stream' : `/api/stream?after=${after}`);
    source = stream;
    stream.onopen = () => feed({ kind: 'opened' });
    // The browser would try again by itself, but not after every refusal, and without saying so.
    stream.onerror = () => stream === source && feed({ kind: 'failed' });
    stream.addEventListener('ready', (e) => feed({ kind: 'ready', id: e.lastEventId }));
    stream.addEventListener('reload', (e) => feed({ kind: 'reload', id: e.lastEventId }));
    for (const name of STATES) stream.addEventListener(name, onState);
    stream.addEventListener('deleted', (e: MessageEvent<string>) => {
      feed({ kind: 'durable', id: e.lastEventId });
      update((runs) => without(runs, (JSON.parse(e.data) as Told).job_id));
    });
    stream.addEventListener('progress', (e: MessageEvent<string>) => {
      const { job_id, progress } = JSON.parse(e.data) as ToldProgress;
      update((runs) => progressed(runs, job_id, progress));
    });
  }

  function onState(event: MessageEvent<string>) {
    feed({ kind: 'durable', id: event.lastEventId });
    const { job_id: jobId, status, at, error } = JSON.parse(event.data) as Told;
    update((runs) => told(runs, { jobId, status, at, error: error ?? null }));
    const known = useRuns.getState().runs.some((run) => run.jobId === jobId);
    if (!known || hasEnded({ status }) || status === 'executing') void refresh(jobId);
    clearTimeout(places);
    places = setTimeout(refreshPlaces, PLACES_AFTER_MS);
  }

  const wake = () => feed({ kind: 'wake' });
  window.addEventListener('online', wake);
  feed({ kind: 'start' });
  return () => {
    window.removeEventListener('online', wake);
    clearTimeout(places);
    feed({ kind: 'stop' });
  };
}
