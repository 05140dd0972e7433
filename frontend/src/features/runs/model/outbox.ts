/**
 * Submits that are on their way. They are written down before they are sent and carry a key, so
 * that a reload or a lost connection neither loses nor doubles a video.
 */
import { OfflineError, ProblemError, problemOf } from '@/api/http';
import { randomKey } from '@/api/ids';
import type { Mode, Problem } from '@/api/types';
import { type Task, taskOf } from '@/model/tasks';
import { submitJob } from '../api/jobs';
import { patched, started, without } from './list';
import { loadFirst, refresh } from './loading';
import type { Run } from './run';
import { matches, update, useRuns } from './store';

const KEY = 'animatrix.outbox.1';
const AGAIN_AFTER_MS = 2000;

export interface Order {
  key: string;
  body: { mode: Mode; prompt?: string } & Record<string, unknown>;
  thumbnailUrl: string | null;
  createdAt: string;
}

function kept(): Order[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(list) ? (list as Order[]) : [];
  } catch {
    return [];
  }
}

function keep(change: (list: Order[]) => Order[]): void {
  localStorage.setItem(KEY, JSON.stringify(change(kept())));
}

export function forgetOrders(): void {
  localStorage.removeItem(KEY);
}

const SHAPES: Record<string, [number, number]> = {
  '9:16': [9, 16],
  '16:9': [16, 9],
  '1:1': [1, 1],
};

function cardOf(order: Order): Run {
  const [width, height] = SHAPES[String(order.body['aspect_ratio'])] ?? [9, 16];
  const task: Task = taskOf(order.body.mode, order.body);
  return {
    key: order.key,
    jobId: null,
    task,
    mode: order.body.mode,
    prompt: order.body.prompt ?? '',
    width,
    height,
    status: 'sending',
    progress: null,
    position: null,
    error: null,
    simulated: false,
    cancelRequested: false,
    attempt: 1,
    thumbnailUrl: order.thumbnailUrl,
    posterUrl: null,
    videoUrl: null,
    picture: false,
    createdAt: order.createdAt,
    updatedAt: order.createdAt,
    job: null,
  };
}

/** Shows a card at once and sends. Resolves to the refusal, or null when it is (or will be) sent. */
export function order(body: Order['body'], thumbnailUrl: string | null): Promise<Problem | null> {
  const one = { key: randomKey(), body, thumbnailUrl, createdAt: new Date().toISOString() };
  keep((list) => [...list, one]);
  // What was just asked for is seen, whatever was looked for.
  if (!matches(cardOf(one), useRuns.getState().filter)) void loadFirst({});
  return send(one);
}

/** Sends what an earlier visit left on its way. */
export function resendAll(): void {
  for (const one of kept()) void send(one);
}

async function send(one: Order): Promise<Problem | null> {
  update((runs) => started(runs, cardOf(one)));
  try {
    const accepted = await submitJob(one.body, one.key);
    keep((list) => list.filter((other) => other.key !== one.key));
    const { job_id: jobId, status } = accepted;
    update((runs) => patched(runs, one.key, { jobId, status }));
    void refresh(jobId);
    return null;
  } catch (thrown) {
    if (thrown instanceof OfflineError || isAway(thrown)) {
      update((runs) => patched(runs, one.key, { status: 'unsent' }));
      window.setTimeout(() => void send(one), AGAIN_AFTER_MS);
      return null;
    }
    keep((list) => list.filter((other) => other.key !== one.key));
    update((runs) => without(runs, one.key));
    return thrown instanceof ProblemError ? thrown.problem : problemOf(0, null);
  }
}

const isAway = (thrown: unknown) =>
  thrown instanceof ProblemError && thrown.problem.code === 'unavailable';
