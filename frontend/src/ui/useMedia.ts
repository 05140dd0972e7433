/** Whether a media query holds, live. */
import { useSyncExternalStore } from 'react';

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const list = window.matchMedia(query);
      list.addEventListener('change', changed);
      return () => list.removeEventListener('change', changed);
    },
    () => window.matchMedia(query).matches,
  );
}

export const useReducedMotion = () => useMedia('(prefers-reduced-motion: reduce)');
export const usePhone = () => useMedia('(max-width: 639px)');
