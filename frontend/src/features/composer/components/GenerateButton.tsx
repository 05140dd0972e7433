/** Generate, with what it will make; while it cannot, it says why. */
import { ArrowUp } from 'lucide-react';
import { useId } from 'react';
import { strings } from '@/strings';
import { cx } from '@/ui/classes';
import { seconds } from '@/ui/format';
import type { Check } from '../model/useCheck';
import type { Place } from '../model/validation';

/** What is said beside the button; the rest stands in the line under the prompt. */
const BESIDE: Place[] = ['prompt', 'files'];

interface GenerateButtonProps {
  check: Check;
  sending: boolean;
  onGenerate: () => void;
}

export function GenerateButton({ check, sending, onGenerate }: GenerateButtonProps) {
  const id = useId();
  const why = check.needs[0]?.sentence;
  const saidAbove = check.needs[0] && !BESIDE.includes(check.needs[0].place);
  const blocked = why !== undefined || sending;
  const frame = check.plan?.delivery;
  return (
    <div className="ml-auto flex min-w-0 items-center gap-3">
      <span
        id={id}
        className={cx(
          'min-w-0 truncate text-[0.8125rem] text-muted',
          saidAbove ? 'sr-only' : 'max-sm:sr-only',
        )}
      >
        {why ??
          (frame &&
            strings.composer.will(
              seconds(frame.frames / frame.fps),
              `${frame.width_px} × ${frame.height_px}`,
            ))}
      </span>
      <button
        type="button"
        aria-disabled={blocked}
        aria-describedby={id}
        title={why ?? strings.composer.shortcut}
        onClick={onGenerate}
        className={cx(
          'inline-flex min-h-11 shrink-0 items-center gap-2 rounded-full px-5 font-semibold transition-colors',
          blocked
            ? 'cursor-default bg-hover text-muted'
            : 'bg-accent text-on-accent hover:bg-accent-hover',
        )}
      >
        {sending ? strings.composer.generating : strings.composer.generate}
        <ArrowUp aria-hidden size={18} />
      </button>
    </div>
  );
}
