/** What joins the features: a run goes back into the composer, a frame becomes a character. */
import { useCallback, useMemo, useState } from 'react';
import { sentenceOf } from '@/api/http';
import {
  againOf,
  attachFiles,
  attachKept,
  type RequestBody,
  useComposer,
} from '@/features/composer';
import { frameAt } from '@/features/player';
import { type CardActions, type Frame, getPlan, order, type Run } from '@/features/runs';
import { strings } from '@/strings';
import { rebuilt } from './rebuilt';
import { useOpenRun } from './useOpenRun';

export interface StudioActions {
  open: Run | null;
  comparing: Run | null;
  pair: [Run, Run] | null;
  trouble: string | null;
  cardActions: CardActions;
  close: () => void;
  stopComparing: () => void;
  dismiss: () => void;
}

export function useStudioActions(): StudioActions {
  const { open, openRun, close } = useOpenRun();
  const [comparing, setComparing] = useState<Run | null>(null);
  const [pair, setPair] = useState<[Run, Run] | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);

  const attempt = useCallback((act: () => Promise<string | null>) => {
    setTrouble(null);
    act()
      .then(setTrouble)
      .catch((thrown: unknown) => {
        const { sentence, remedy } = sentenceOf(thrown);
        setTrouble(`${sentence} ${remedy}`);
      });
  }, []);

  const cardActions = useMemo<CardActions>(
    () => ({
      comparing: comparing !== null,
      open: (run) => {
        if (comparing && comparing.key !== run.key) {
          setPair([comparing, run]);
          setComparing(null);
        } else openRun(run);
      },
      again: (run) => {
        close();
        attempt(() => again(run));
      },
      variation: (run) => {
        close();
        attempt(() => variation(run));
      },
      useFrame: (run, which) => {
        close();
        attempt(() => takeFrame(run, which));
      },
      compare: (run) => {
        close();
        setComparing(run);
      },
    }),
    [comparing, openRun, close, attempt],
  );

  return {
    open,
    comparing,
    pair,
    trouble,
    cardActions,
    close: () => {
      close();
      setPair(null);
    },
    stopComparing: () => setComparing(null),
    dismiss: () => setTrouble(null),
  };
}

async function again(run: Run): Promise<string | null> {
  if (!run.job) return null;
  const made = againOf(run.job, await getPlan(run.job.job_id), true);
  useComposer.getState().load(made);
  const whole = await attachKept(made.attachments);
  return whole ? null : `${strings.again.missing} ${strings.attach.attachAnother}`;
}

/** Sends at once: the same request, another seed. */
async function variation(run: Run): Promise<string | null> {
  if (!run.job) return null;
  const made = againOf(run.job, await getPlan(run.job.job_id), false);
  const body: RequestBody = rebuilt(made);
  const problem = await order(body, run.thumbnailUrl);
  return problem ? `${problem.detail} ${problem.remedy}` : null;
}

async function takeFrame(run: Run, which: Frame): Promise<string | null> {
  if (!run.videoUrl) return null;
  try {
    const place = typeof which === 'number' ? `${which.toFixed(2)}s` : which;
    const name = `${place}-frame-${(run.jobId ?? '').slice(-8)}.png`;
    const at = which === 'first' ? 0 : which;
    attachFiles([await frameAt(run.videoUrl, at, name)], 'ground_truth');
    return null;
  } catch {
    return strings.player.captureFailed;
  }
}
