/** A finished video: its poster, playing without sound while the pointer or the focus is on it. */
import { Play } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { strings } from '@/strings';
import { useReducedMotion } from '@/ui/useMedia';
import type { Run } from '../model/run';

const PLAY_AFTER_MS = 120;

export function FinishedFace({ run, onOpen }: { run: Run; onOpen: () => void }) {
  const [near, setNear] = useState(false);
  const [playing, setPlaying] = useState(false);
  const still = useReducedMotion();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);

  function approach(is: boolean) {
    clearTimeout(timer.current);
    if (is) timer.current = setTimeout(() => setNear(true), PLAY_AFTER_MS);
    else {
      setNear(false);
      setPlaying(false);
    }
  }

  return (
    <button
      type="button"
      aria-label={strings.runs.open(run.prompt)}
      onClick={onOpen}
      onPointerEnter={(event) => event.pointerType === 'mouse' && approach(true)}
      onPointerLeave={() => approach(false)}
      onFocus={() => approach(true)}
      onBlur={() => approach(false)}
      className="absolute inset-0 -outline-offset-2"
    >
      {run.posterUrl && (
        <img
          src={run.posterUrl}
          alt=""
          loading="lazy"
          decoding="async"
          className="size-full object-contain"
        />
      )}
      {near && !still && run.videoUrl && run.picture && (
        <img src={run.videoUrl} alt="" className="absolute inset-0 size-full object-contain" />
      )}
      {near && !still && run.videoUrl && !run.picture && (
        <video
          src={run.videoUrl}
          muted
          loop
          autoPlay
          playsInline
          onPlaying={() => setPlaying(true)}
          className="absolute inset-0 size-full object-contain"
        />
      )}
      {!playing && (
        <span className="absolute right-2.5 bottom-2.5 grid size-9 place-items-center rounded-full bg-black/55 text-white transition-transform group-hover:scale-110">
          <Play aria-hidden size={16} className="ml-0.5 fill-current" />
        </span>
      )}
    </button>
  );
}
