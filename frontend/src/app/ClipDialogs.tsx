/** The player and the comparison, over the studio. */
import { Suspense, useEffect, useState } from 'react';
import type { OutputsView } from '@/api/types';
import { type Clip, Compare, Player } from '@/features/player';
import { copyLink, downloadUrl, getOutputs, type Run } from '@/features/runs';
import { strings } from '@/strings';
import type { StudioActions } from './useStudioActions';

function clipOf(run: Run, outputs: OutputsView | null): Clip {
  const seed = run.job?.settings_json['seed'];
  return {
    jobId: run.jobId ?? '',
    videoUrl: run.videoUrl ?? '',
    picture: run.picture,
    posterUrl: run.posterUrl,
    downloadUrl: downloadUrl(run),
    prompt: run.prompt,
    task: strings.tasks[run.task].name,
    width: run.width,
    height: run.height,
    fps: run.job?.delivery.fps ?? 16,
    seed: typeof seed === 'number' ? String(seed) : null,
    hasSound: outputs?.has_audio ?? false,
    simulated: run.simulated,
  };
}

export function ClipDialogs({ studio }: { studio: StudioActions }) {
  const { open, pair, cardActions, close } = studio;
  const outputs = useOutputs(open ?? pair?.[0] ?? null);
  return (
    <Suspense>
      {open && (
        <Player
          key={open.key}
          clip={clipOf(open, outputs)}
          actions={{
            again: () => cardActions.again(open),
            variation: () => cardActions.variation(open),
            useFrame: (which) => cardActions.useFrame(open, which),
            compare: () => cardActions.compare(open),
            copyLink: () => copyLink(open),
          }}
          onClose={close}
        />
      )}
      {pair && (
        <Compare left={clipOf(pair[0], outputs)} right={clipOf(pair[1], null)} onClose={close} />
      )}
    </Suspense>
  );
}

/** What was delivered with a run; null until it is known, and for a run without outputs. */
function useOutputs(run: Run | null): OutputsView | null {
  const [outputs, setOutputs] = useState<OutputsView | null>(null);
  const jobId = run?.jobId;
  useEffect(() => {
    if (!jobId) return;
    let gone = false;
    getOutputs(jobId)
      .then((found) => !gone && setOutputs(found))
      .catch(() => {
        // Without it the player only lacks the button for sound.
      });
    return () => {
      gone = true;
    };
  }, [jobId]);
  return outputs?.job_id === jobId ? outputs : null;
}
