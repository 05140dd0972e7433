/** Two videos side by side under one set of controls: the first leads, the second follows. */
import { useEffect, useRef } from 'react';
import { strings } from '@/strings';
import { Dialog } from '@/ui/Dialog';
import type { Clip } from '../model/clip';
import { usePlayback } from '../model/usePlayback';
import { Controls } from './Controls';

const DRIFT_S = 0.06;
const LOOK = 'h-[58dvh] w-full rounded-2xl bg-black object-contain';

interface CompareProps {
  left: Clip;
  right: Clip;
  onClose: () => void;
}

export function Compare({ left, right, onClose }: CompareProps) {
  const leader = useRef<HTMLVideoElement>(null);
  const follower = useRef<HTMLVideoElement>(null);
  const playback = usePlayback(leader, left.fps);
  const { playing, at, speed } = playback;

  useEffect(() => {
    const other = follower.current;
    if (!other) return;
    const wanted = Math.min(at, other.duration || at);
    if (Math.abs(other.currentTime - wanted) > (playing ? DRIFT_S : 1e-3)) {
      other.currentTime = wanted;
    }
    other.playbackRate = speed;
    if (playing && other.paused) void other.play().catch(() => undefined);
    if (!playing && !other.paused) other.pause();
  }, [playing, at, speed]);

  return (
    <Dialog wide title={strings.player.compare} onClose={onClose}>
      <div className="grid grid-cols-2 gap-3">
        {[left, right].map((clip, side) => (
          <figure key={side} className="min-w-0">
            {clip.picture ? (
              <img src={clip.videoUrl} alt={clip.prompt || clip.task} className={LOOK} />
            ) : (
              <video
                ref={side === 0 ? leader : follower}
                src={clip.videoUrl}
                poster={clip.posterUrl ?? undefined}
                autoPlay={side === 0}
                muted={side === 1}
                playsInline
                aria-label={clip.prompt}
                className={LOOK}
              />
            )}
            <figcaption className="mt-2 text-sm text-muted">
              <span className="line-clamp-2 text-text">{clip.prompt}</span>
              {clip.task} · {clip.width} × {clip.height}
              {clip.seed && ` · ${strings.player.seed(clip.seed)}`}
              {clip.simulated && ` · ${strings.runs.simulated}`}
            </figcaption>
          </figure>
        ))}
      </div>
      <div className="mt-2">
        {!left.picture && <Controls playback={playback} hasSound={left.hasSound} />}
      </div>
    </Dialog>
  );
}
