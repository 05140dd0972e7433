/**
 * Who this page speaks for: asked once at the start, and again after signing in. Holds the token
 * that goes with every change while a cookie is used. Asks by fetch itself: http.ts stands on it.
 */
import { create } from 'zustand';
import type { Problem, SessionView } from './types';

interface SessionState {
  session: SessionView | null;
  /** The gateway wants to know who asks. */
  asked: boolean;
}

export const useSession = create<SessionState>(() => ({ session: null, asked: false }));

export const isOperator = ({ session }: SessionState) =>
  session?.roles.includes('operator') ?? false;

let known: Promise<void> | null = null;

/** Finds out who asks; where nobody answers, the first request will say so. */
export function findSession(): Promise<void> {
  known ??= fetch('/api/session', { headers: { Accept: 'application/json' } })
    .then(async (response) => {
      if (response.status === 401) useSession.setState({ asked: true });
      if (response.ok) {
        useSession.setState({ session: (await response.json()) as SessionView, asked: false });
      }
    })
    .catch(() => {
      known = null;
    });
  return known;
}

/** What a change must carry besides the cookie. */
export async function changeHeaders(): Promise<Record<string, string>> {
  await findSession();
  const csrf = useSession.getState().session?.csrf;
  return csrf ? { 'X-CSRF-Token': csrf } : {};
}

/** Ends the session; resolves to whether it is over. */
export async function signOut(): Promise<boolean> {
  const headers = await changeHeaders();
  const response = await fetch('/api/session', { method: 'DELETE', headers }).catch(() => null);
  return response !== null && (response.ok || response.status === 401);
}

/** Signs in with a key; resolves to why not, or null when it worked. */
export async function signIn(key: string): Promise<Problem | null> {
  const response = await fetch('/api/session', {
    method: 'POST',
    headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
    body: JSON.stringify({ key }),
  });
  if (!response.ok) return (await response.json()) as Problem;
  useSession.setState({ session: (await response.json()) as SessionView, asked: false });
  known = Promise.resolve();
  return null;
}
