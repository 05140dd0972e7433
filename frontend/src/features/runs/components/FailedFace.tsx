/** Why a run could not be made, and the next step. */
import { RotateCcw, TriangleAlert } from 'lucide-react';
import { strings } from '@/strings';
import { Button } from '@/ui/Button';
import type { Run } from '../model/run';
import { stateOf } from '../model/words';

export function FailedFace({ run, onRetry }: { run: Run; onRetry: () => void }) {
  const words = stateOf(run);
  return (
    <div className="flex size-full flex-col items-start justify-end gap-2.5 bg-danger-wash p-3.5">
      <TriangleAlert aria-hidden size={20} className="shrink-0 text-danger" />
      <p role="status" title={words} className="min-h-0 overflow-y-auto text-sm text-text">
        {words}
      </p>
      <Button
        icon={<RotateCcw aria-hidden size={15} />}
        onClick={onRetry}
        className="shrink-0 bg-raised"
      >
        {strings.runs.retry}
      </Button>
    </div>
  );
}
