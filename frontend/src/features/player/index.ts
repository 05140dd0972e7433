/** What the rest of the studio may use of the player; the dialogs are loaded when first needed. */
import { lazy } from 'react';

export type { Clip, ClipActions } from './model/clip';
export { frameAt } from './model/frames';

export const Player = lazy(() =>
  import('./components/Player').then((module) => ({ default: module.Player })),
);
export const Compare = lazy(() =>
  import('./components/Compare').then((module) => ({ default: module.Compare })),
);
