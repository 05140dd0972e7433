/** The text: large, growing with what is written. */
import { useId } from 'react';
import { useCapabilities } from '@/api/capabilities';
import { strings } from '@/strings';
import { cx } from '@/ui/classes';
import { Problem } from '@/ui/Field';
import { useComposer } from '../model/store';

interface PromptBoxProps {
  compact: boolean;
  grow: boolean;
  problem: string | undefined;
  onFocus: () => void;
}

export function PromptBox({ compact, grow, problem, onFocus }: PromptBoxProps) {
  const { prompt, task, setPrompt } = useComposer();
  const limit = useCapabilities((s) => s.capabilities?.prompt_characters);
  const id = useId();
  const near = limit !== undefined && prompt.length > limit * 0.9;
  return (
    <div className={cx('px-1', grow && 'flex min-h-0 grow flex-col')}>
      <label htmlFor={id} className="sr-only">
        {strings.composer.prompt}
      </label>
      <textarea
        id={id}
        value={prompt}
        rows={compact ? 1 : 2}
        placeholder={strings.tasks[task].prompt}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-about`}
        onFocus={onFocus}
        onChange={(event) => setPrompt(event.target.value)}
        className={cx(
          'grow-with-text block w-full resize-none bg-transparent text-lg leading-relaxed placeholder:text-faint focus-visible:outline-none',
          grow ? 'min-h-0 grow' : compact ? 'max-h-8 overflow-hidden' : 'max-h-[26vh] min-h-15',
        )}
      />
      <p id={`${id}-about`} className="text-[0.8125rem] text-muted empty:hidden">
        {problem && <Problem sentence={problem} />}
        {!problem && near && strings.composer.characters(prompt.length, limit)}
      </p>
    </div>
  );
}
