/** The theme: as the system says, or as chosen. public/theme.js applies it before the first paint. */
import { create } from 'zustand';

const KEY = 'animatrix.theme';
export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

function stored(): Theme {
  return THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? 'system';
}

interface ThemeState {
  theme: Theme;
  cycle: () => void;
}

export const useTheme = create<ThemeState>((set, get) => ({
  theme: stored(),
  cycle: () => {
    const theme = THEMES[(THEMES.indexOf(get().theme) + 1) % THEMES.length] ?? 'system';
    if (theme === 'system') {
      localStorage.removeItem(KEY);
      delete document.documentElement.dataset['theme'];
    } else {
      localStorage.setItem(KEY, theme);
      document.documentElement.dataset['theme'] = theme;
    }
    set({ theme });
  },
}));
