/**
 * One way to ask the gateway: JSON in, JSON out, every refusal a ProblemError with a plain
 * sentence, every broken connection an OfflineError. Must not retry and must not hold state.
 */
import { strings } from '@/strings';
import { changeHeaders, useSession } from './session';
import type { Problem } from './types';

export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
    this.name = 'ProblemError';
  }
}

export class OfflineError extends Error {
  constructor(options?: ErrorOptions) {
    super(strings.connection.offline, options);
    this.name = 'OfflineError';
  }
}

function looksLikeProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'detail' in body && 'remedy' in body;
}

/** The problem in a body, or a plain one when something between us and the gateway answered. */
export function problemOf(status: number, body: unknown): Problem {
  if (looksLikeProblem(body)) return body;
  return {
    type: 'about:blank',
    title: strings.problems.unknown,
    status,
    detail: strings.problems.unknown,
    code: 'internal',
    remedy: strings.problems.tryAgain,
    errors: [],
    fallback: null,
  };
}

export const isSignedOut = (thrown: unknown) =>
  thrown instanceof ProblemError && thrown.problem.status === 401;

/** Statuses that a proxy gives while the gateway is away. */
const AWAY = new Set([502, 504]);

export const isAway = (status: number) => AWAY.has(status);

interface Ask {
  method?: string;
  body?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export async function request<T>(path: string, ask: Ask = {}): Promise<T> {
  let response: Response;
  try {
    const changing = ask.method && ask.method !== 'GET' ? await changeHeaders() : {};
    const headers = { Accept: 'application/json', ...changing, ...ask.headers };
    response = await fetch(path, { ...ask, headers });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new OfflineError({ cause });
  }
  if (isAway(response.status)) throw new OfflineError();
  if (response.status === 401) useSession.setState({ asked: true });
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  const body: unknown = parse(text);
  if (!response.ok) throw new ProblemError(problemOf(response.status, body));
  return body as T;
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

export function put<T>(path: string, body: unknown) {
  return request<T>(path, {
    method: 'PUT',
    body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json' },
  });
}

export function post<T>(path: string, body?: unknown, headers: Record<string, string> = {}) {
  if (body === undefined) return request<T>(path, { method: 'POST', headers });
  return request<T>(path, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { ...headers, 'Content-Type': 'application/json' },
  });
}

/** What to tell a person about anything that was thrown while asking the gateway. */
export function sentenceOf(thrown: unknown): { sentence: string; remedy: string } {
  if (thrown instanceof ProblemError) {
    return { sentence: thrown.problem.detail, remedy: thrown.problem.remedy };
  }
  if (thrown instanceof OfflineError) {
    return { sentence: thrown.message, remedy: strings.problems.tryAgain };
  }
  return { sentence: strings.problems.unknown, remedy: strings.problems.tryAgain };
}
