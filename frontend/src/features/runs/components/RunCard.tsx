/** One run: its picture or its state, its words, and what can be done with it. */
import { X } from 'lucide-react';
import { memo, useState } from 'react';
import { sentenceOf } from '@/api/http';
import { strings } from '@/strings';
import { IconButton } from '@/ui/Button';
import { AskSure } from '@/ui/Dialog';
import { ago, exact } from '@/ui/format';
import { cancel, remove, retry } from '../model/acting';
import { hasEnded, isOnTheWay, isRunning, type Run } from '../model/run';
import { copyLink } from '../model/sharing';
import { CardMenu } from './CardMenu';
import { FailedFace } from './FailedFace';
import { FinishedFace } from './FinishedFace';
import { SimulatedBadge } from './SimulatedBadge';
import { WaitingFace } from './WaitingFace';

/** A frame of a video: one of its ends, or a time in seconds. */
export type Frame = 'first' | 'last' | number;

/** What a card asks the page to do. */
export interface CardActions {
  comparing: boolean;
  open: (run: Run) => void;
  again: (run: Run) => void;
  variation: (run: Run) => void;
  useFrame: (run: Run, which: Frame) => void;
  compare: (run: Run) => void;
}

interface RunCardProps {
  run: Run;
  pictureHeight: number;
  actions: CardActions;
}

export const RunCard = memo(function RunCard({ run, pictureHeight, actions }: RunCardProps) {
  const [asking, setAsking] = useState<'cancel' | 'remove' | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [copied, setCopied] = useState(false);

  function attempt(act: (run: Run) => Promise<void>) {
    setAsking(null);
    setTrouble(null);
    setCopied(false);
    act(run).catch((thrown: unknown) => {
      const { sentence, remedy } = sentenceOf(thrown);
      setTrouble(`${sentence} ${remedy}`);
    });
  }

  const cancellable = !hasEnded(run) && !isOnTheWay(run) && !run.cancelRequested;
  return (
    <article
      aria-label={run.prompt}
      data-status={run.status}
      data-job={run.jobId ?? undefined}
      className="group appear flex h-full flex-col"
    >
      <div
        className="relative shrink-0 overflow-hidden rounded-2xl bg-well"
        style={{ height: pictureHeight }}
      >
        {run.status === 'completed' ? (
          <FinishedFace run={run} onOpen={() => actions.open(run)} />
        ) : run.status === 'failed' ? (
          <FailedFace run={run} onRetry={() => attempt(retry)} />
        ) : (
          <WaitingFace run={run} />
        )}
        {run.simulated && <SimulatedBadge />}
        {cancellable && (
          <IconButton
            label={strings.runs.cancel}
            onClick={() => (isRunning(run) ? setAsking('cancel') : attempt(cancel))}
            className="absolute top-2 right-2 bg-black/55 !text-white hover:bg-black/80"
          >
            <X aria-hidden size={16} />
          </IconButton>
        )}
      </div>
      <div className="flex min-h-0 grow items-start gap-1 px-1 pt-2">
        <div className="min-w-0 grow">
          <p className="line-clamp-2 text-sm leading-snug">{run.prompt}</p>
          <p className="mt-0.5 truncate text-xs text-muted">
            {trouble ? (
              <span role="alert" className="text-danger">
                {trouble}
              </span>
            ) : (
              <>
                {strings.tasks[run.task].name} ·{' '}
                <time dateTime={run.createdAt} title={exact(run.createdAt)}>
                  {ago(run.createdAt)}
                </time>
                {run.attempt > 1 && ` · ${strings.runs.attempt(run.attempt)}`}
                <span role="status">{copied && ` · ${strings.again.copied}`}</span>
              </>
            )}
          </p>
        </div>
        {run.jobId && (
          <CardMenu
            run={run}
            actions={actions}
            onRemove={() => setAsking('remove')}
            onCopyLink={() =>
              attempt(async () => {
                await copyLink(run);
                setCopied(true);
              })
            }
          />
        )}
      </div>
      {asking === 'cancel' && (
        <AskSure
          title={strings.runs.cancelSure}
          why={strings.runs.cancelWhy}
          yes={strings.runs.stop}
          no={strings.runs.keep}
          onYes={() => attempt(cancel)}
          onNo={() => setAsking(null)}
        />
      )}
      {asking === 'remove' && (
        <AskSure
          title={strings.runs.removeSure}
          why={strings.runs.removeWhy}
          yes={strings.runs.remove}
          no={strings.cancel}
          onYes={() => attempt(remove)}
          onNo={() => setAsking(null)}
        />
      )}
    </article>
  );
});
