/** The one desk of the studio: attachments, prompt, choices, Generate. */
import { ChevronDown } from 'lucide-react';
import { type KeyboardEvent, lazy, Suspense, useRef, useState } from 'react';
import type { Problem } from '@/api/types';
import { strings } from '@/strings';
import { IconButton } from '@/ui/Button';
import { cx } from '@/ui/classes';
import { usePhone } from '@/ui/useMedia';
import type { RequestBody } from '../model/request';
import { useComposer } from '../model/store';
import { useCheck } from '../model/useCheck';
import { needsOfProblems, sentencesAt } from '../model/validation';
import { AdvancedDrawer } from './AdvancedDrawer';
import { AttachmentRail } from './AttachmentRail';
import { AspectMenu, QualityMenu } from './ChoiceMenus';
import { GenerateButton } from './GenerateButton';
import { HelperLine } from './HelperLine';
import { PromptBox } from './PromptBox';
import { AdvancedButton } from './AdvancedButton';
import { TaskMenu } from './TaskMenu';

const ClipPanel = lazy(() =>
  import('./ClipPanel').then((module) => ({ default: module.ClipPanel })),
);

interface ComposerProps {
  /** Sends the request; resolves to what it was refused for, or null when it is under way. */
  onGenerate: (body: RequestBody) => Promise<Problem | null>;
}

export function Composer({ onGenerate }: ComposerProps) {
  const check = useCheck();
  const task = useComposer((s) => s.task);
  const [open, setOpen] = useState(false);
  const [advanced, setAdvanced] = useState(false);
  const [sending, setSending] = useState(false);
  const [tried, setTried] = useState(false);
  const phone = usePhone();
  const form = useRef<HTMLElement>(null);
  const unfolded = !phone || open;

  async function generate() {
    setTried(true);
    if (check.needs.length > 0 || sending) return;
    setSending(true);
    const problem = await onGenerate(check.body);
    setSending(false);
    setTried(false);
    if (problem) useComposer.getState().refuse(refusals(problem));
    else setOpen(false);
  }

  function onKeys(event: KeyboardEvent) {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void generate();
    } else if (event.key === 'Escape' && phone && open) {
      setOpen(false);
    }
  }

  return (
    <section
      ref={form}
      id="composer"
      aria-label={strings.composer.label}
      onKeyDown={onKeys}
      className={cx(
        'flex flex-col gap-3 bg-surface p-3 shadow-far ring-1 ring-line/60 has-[textarea:focus-visible]:ring-(--focus)/50 sm:rounded-[28px] sm:p-4',
        phone && 'rounded-t-3xl pb-[max(0.75rem,env(safe-area-inset-bottom))]',
        phone && open && 'h-dvh rounded-none',
      )}
    >
      {phone && open && (
        <IconButton label={strings.composer.collapse} onClick={() => setOpen(false)}>
          <ChevronDown aria-hidden size={20} />
        </IconButton>
      )}
      <div className="flex flex-wrap items-start gap-x-3 gap-y-2">
        <div className={cx('min-w-0 grow basis-64', !unfolded && 'order-2')}>
          <AttachmentRail needs={check.needs} plan={check.plan} compact={!unfolded} />
        </div>
        {unfolded && (
          <div className="flex min-h-11 shrink-0 items-center gap-1.5">
            <TaskMenu />
            <AspectMenu />
          </div>
        )}
      </div>
      <PromptBox
        compact={!unfolded}
        grow={phone && open}
        problem={tried ? sentencesAt(check.needs, 'prompt') : tooLong(check.needs)}
        onFocus={() => phone && setOpen(true)}
      />
      {unfolded && <HelperLine needs={check.needs} plan={check.plan} tried={tried} />}
      {unfolded && task === 'motion_clip' && (
        <Suspense>
          <ClipPanel needs={check.needs} />
        </Suspense>
      )}
      {unfolded && advanced && <AdvancedDrawer needs={check.needs} />}
      <div className="flex flex-wrap items-center gap-1.5">
        {unfolded && <QualityMenu />}
        {unfolded && <AdvancedButton open={advanced} onToggle={() => setAdvanced(!advanced)} />}
        {!unfolded && <TaskMenu />}
        <GenerateButton check={check} sending={sending} onGenerate={() => void generate()} />
      </div>
    </section>
  );
}

function refusals(problem: Problem) {
  const { errors, detail, remedy, code } = problem;
  return needsOfProblems(
    errors.length > 0 ? errors : [{ field: null, sentence: detail, remedy, code }],
  );
}

/** An empty prompt is no mistake before the first try; one that is too long is. */
function tooLong(needs: Parameters<typeof sentencesAt>[0]): string | undefined {
  const said = sentencesAt(needs, 'prompt');
  return said === strings.needs.prompt ? undefined : said;
}
