/** Something asked of the gateway, and asked again every few seconds while it is on the screen. */
import { useCallback, useEffect, useState } from 'react';
import { sentenceOf } from '@/api/http';

export interface Asked<T> {
  answer: T | null;
  trouble: string | null;
  again: () => void;
}

/** `key` names the question: another key asks anew. Without `every_ms` it is asked once. */
export function useAsked<T>(key: string, ask: () => Promise<T>, every_ms?: number): Asked<T> {
  const [state, setState] = useState<{ key: string; answer: T | null; trouble: string | null }>({
    key,
    answer: null,
    trouble: null,
  });
  const [round, setRound] = useState(0);
  const again = useCallback(() => setRound((n) => n + 1), []);

  useEffect(() => {
    let gone = false;
    const once = () =>
      ask().then(
        (answer) => !gone && setState({ key, answer, trouble: null }),
        (thrown: unknown) => {
          const { sentence, remedy } = sentenceOf(thrown);
          const trouble = `${sentence} ${remedy}`;
          if (!gone) setState((s) => ({ key, answer: s.key === key ? s.answer : null, trouble }));
        },
      );
    void once();
    const timer = every_ms === undefined ? undefined : setInterval(() => void once(), every_ms);
    return () => {
      gone = true;
      clearInterval(timer);
    };
    // `ask` is a new function at every render; `key` says when the question is another.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, every_ms, round]);

  const current = state.key === key ? state : { answer: null, trouble: null };
  return { answer: current.answer, trouble: current.trouble, again };
}
