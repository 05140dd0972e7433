/** A run that is not finished: the character in the dark, the state in words, how far it is. */
import { useState } from 'react';
import { ProgressBar } from '@/ui/Progress';
import { hasEnded, isRunning, type Run } from '../model/run';
import { shareOf, stateOf } from '../model/words';
import { LivePreview } from './LivePreview';

export function WaitingFace({ run }: { run: Run }) {
  const [broken, setBroken] = useState(false);
  const words = stateOf(run);
  const ended = hasEnded(run);
  return (
    <div className="flex size-full flex-col justify-end">
      {run.thumbnailUrl && !broken && (
        <img
          src={run.thumbnailUrl}
          alt=""
          loading="lazy"
          decoding="async"
          onError={() => setBroken(true)}
          className="absolute inset-0 size-full scale-110 object-cover opacity-45 blur-md"
        />
      )}
      {isRunning(run) && <LivePreview url={run.progress?.live_preview_url ?? null} />}
      <div className="relative bg-linear-to-t from-black/75 to-transparent px-3.5 pt-12 pb-3.5 text-white">
        <p role="status" className={`text-sm ${ended ? 'text-white/80' : ''}`}>
          {words}
        </p>
        {!ended && (
          <div className="mt-2">
            <ProgressBar value={shareOf(run)} label={words} />
          </div>
        )}
      </div>
    </div>
  );
}
