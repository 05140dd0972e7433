/** A finished video as the player needs it. */
export interface Clip {
  jobId: string;
  videoUrl: string;
  /** A moving picture and no video: it plays by itself, without controls. */
  picture: boolean;
  posterUrl: string | null;
  downloadUrl: string;
  prompt: string;
  task: string;
  width: number;
  height: number;
  fps: number;
  seed: string | null;
  hasSound: boolean;
  simulated: boolean;
}

export interface ClipActions {
  again: () => void;
  variation: () => void;
  /** One of its ends, or a time in seconds. */
  useFrame: (which: 'first' | 'last' | number) => void;
  compare: () => void;
  copyLink: () => Promise<void>;
}
