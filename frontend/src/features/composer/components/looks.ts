/** Looks that several pieces of the composer share. */
export const chipButton =
  'inline-flex min-h-9 items-center gap-1.5 rounded-full bg-well px-3 text-sm whitespace-nowrap transition-colors hover:bg-hover aria-expanded:bg-hover';
