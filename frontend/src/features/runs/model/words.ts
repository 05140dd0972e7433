/** What a run's state is called, and how far it is. Pure. */
import { strings } from '@/strings';
import type { Run } from './run';

const words = strings.states;

export function stateOf(run: Run): string {
  if (run.cancelRequested) return words.cancelling;
  switch (run.status) {
    case 'sending':
      return words.sending;
    case 'unsent':
      return words.unsent;
    case 'accepted':
    case 'uploaded':
      return words.preparing;
    case 'queued':
      return waiting(run);
    case 'executing':
      return generating(run);
    case 'collecting_outputs':
      return finishing(run);
    case 'completed':
      return words.ready;
    case 'failed':
      return words.failed(run.error?.sentence ?? '', run.error?.remedy ?? '');
    case 'cancelled':
      return words.cancelled;
  }
}

function waiting(run: Run): string {
  const place = placeOf(run);
  return place === null ? words.waiting : words.waitingFor(place);
}

/** Who comes first and how long that takes, as far as it is known. */
export function placeOf({ position, progress, job }: Run): string | null {
  const handedOver = progress?.phase === 'waiting';
  if (position === null && !handedOver) return null;
  const place =
    handedOver || position === null || position <= 1 ? words.next : words.ahead(position - 1);
  const low_s = job?.queue?.eta_low_s ?? null;
  const high_s = job?.queue?.eta_high_s ?? null;
  return low_s === null || high_s === null ? place : `${place}, ${interval(low_s, high_s)}`;
}

/** The place of the first of one's own that waits; empty where none does. */
export function firstPlace(runs: readonly Run[]): string {
  const queued = runs.filter((run) => run.status === 'queued' && run.position !== null);
  const [first] = queued.sort((a, b) => (a.position ?? 0) - (b.position ?? 0));
  return (first && placeOf(first)) ?? '';
}

const MINUTE_S = 60;

/** Until it is made, as people say it: never more exact than it is known. */
export function interval(low_s: number, high_s: number): string {
  if (high_s < MINUTE_S) return words.underAMinute;
  const low = Math.max(1, Math.floor(low_s / MINUTE_S));
  const high = Math.ceil(high_s / MINUTE_S);
  return low >= high ? words.aboutMinutes(high) : words.minutes(low, high);
}

function generating({ progress }: Run): string {
  if (progress?.phase === 'unreachable') return words.unreachable;
  if (!progress || progress.phase === 'loading') return words.starting;
  const percent = Math.floor(progress.percent);
  const parts = Math.max(progress.steps, progress.segments);
  const part = progress.steps > 1 ? progress.step : progress.segment;
  return parts > 1 ? words.generatingPart(part, parts, percent) : words.generating(percent);
}

function finishing(run: Run): string {
  const share = shareOf(run);
  return share === null ? words.finishing : words.finishingAt(Math.floor(share * 100));
}

/** What the gateway says where it knows nothing better until the end. */
const UNKNOWN_PERCENT = 99;

/** 0 to 1, or null while nobody can know. */
export function shareOf(run: Run): number | null {
  if (run.status === 'collecting_outputs') {
    const { phase, percent } = run.progress ?? { phase: '', percent: UNKNOWN_PERCENT };
    return phase === 'collecting' && percent < UNKNOWN_PERCENT ? percent / 100 : null;
  }
  if (run.status !== 'executing' || !run.progress) return null;
  return Math.max(0.01, run.progress.percent / 100);
}
