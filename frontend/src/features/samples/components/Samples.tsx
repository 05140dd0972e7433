/** The first view of an empty studio: what it takes, and examples that load with one click. */
import { AudioLines, PersonStanding, Sparkles, UserRoundPen } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { Task } from '@/model/tasks';
import { strings } from '@/strings';
import { Dialog } from '@/ui/Dialog';
import { type Demo, fetchSampleFile, getDemo, type Sample } from '../api/demo';

const ICONS: Partial<Record<Task, typeof Sparkles>> = {
  move: PersonStanding,
  mix: UserRoundPen,
  audio: AudioLines,
};

interface SamplesProps {
  onLoad: (sample: Sample, files: { role: Sample['files'][number]['role']; file: File }[]) => void;
}

export function Samples({ onLoad }: SamplesProps) {
  return (
    <section className="mx-auto flex max-w-3xl flex-col items-center gap-6 px-4 pt-[9vh] text-center">
      <h1 className="text-3xl font-semibold tracking-tight text-balance sm:text-4xl">
        {strings.empty.title}
      </h1>
      <ol className="flex flex-wrap justify-center gap-x-7 gap-y-2 text-muted">
        {strings.empty.steps.map((step, at) => (
          <li key={step} className="flex items-center gap-2">
            <span className="grid size-6 place-items-center rounded-full bg-accent-wash text-xs font-semibold text-accent-text">
              {at + 1}
            </span>
            {step}
          </li>
        ))}
      </ol>
      <SampleList onLoad={onLoad} title={strings.empty.samples} />
    </section>
  );
}

/** The same examples for a studio in which something was made already: a demonstration begins anew. */
export function SampleDialog({ onLoad, onClose }: SamplesProps & { onClose: () => void }) {
  return (
    <Dialog wide title={strings.empty.menu} onClose={onClose}>
      <SampleList
        onLoad={(sample, files) => {
          onLoad(sample, files);
          onClose();
        }}
      />
    </Dialog>
  );
}

function SampleList({ onLoad, title }: SamplesProps & { title?: string }) {
  const [demo, setDemo] = useState<Demo | null>(null);
  const [state, setState] = useState<'idle' | 'loading' | 'failed'>('idle');
  useEffect(() => {
    let gone = false;
    void getDemo().then((found) => !gone && setDemo(found));
    return () => {
      gone = true;
    };
  }, []);

  async function load(sample: Sample) {
    setState('loading');
    try {
      const files = await Promise.all(
        sample.files.map(async (one) => ({ role: one.role, file: await fetchSampleFile(one) })),
      );
      setState('idle');
      onLoad(sample, files);
    } catch {
      setState('failed');
    }
  }

  return (
    <>
      {demo && demo.projects.length > 0 && (
        <>
          {title && <h2 className="mt-2 text-sm text-muted">{title}</h2>}
          <ul className="grid w-full gap-3 sm:grid-cols-3">
            {demo.projects.map((sample) => (
              <li key={sample.id}>
                <SampleCard
                  sample={sample}
                  disabled={state === 'loading'}
                  onLoad={() => void load(sample)}
                />
              </li>
            ))}
          </ul>
        </>
      )}
      <p role="status" className="min-h-5 text-sm text-muted">
        {state === 'loading' && strings.empty.loading}
        {state === 'failed' && strings.empty.failed}
      </p>
    </>
  );
}

function SampleCard(props: { sample: Sample; disabled: boolean; onLoad: () => void }) {
  const { sample, disabled, onLoad } = props;
  const Icon = ICONS[sample.task] ?? Sparkles;
  return (
    <button
      type="button"
      disabled={disabled}
      onClick={onLoad}
      className="flex h-full w-full items-center gap-3 rounded-2xl bg-surface p-3 text-left shadow-near transition-colors hover:bg-hover"
    >
      <span className="grid h-16 w-12 shrink-0 place-items-center overflow-hidden rounded-xl bg-well">
        {sample.poster_url ? (
          <img src={sample.poster_url} alt="" className="size-full object-cover" />
        ) : (
          <Icon aria-hidden size={20} className="text-accent-text" />
        )}
      </span>
      <span className="min-w-0">
        <span className="block text-sm font-medium">{sample.title}</span>
        <span className="line-clamp-2 text-[0.8125rem] text-muted">{sample.prompt}</span>
      </span>
    </button>
  );
}
