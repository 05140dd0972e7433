/** Finds runs by words of their prompt, while they are typed. */
import { Search } from 'lucide-react';
import { useEffect, useState } from 'react';
import { strings } from '@/strings';
import { loadFirst } from '../model/loading';
import { useRuns } from '../model/store';

const AT_REST_MS = 250;

export function SearchField() {
  const [text, setText] = useState(() => useRuns.getState().filter.q ?? '');
  const wanted = useRuns((s) => s.filter.q ?? '');
  const [before, setBefore] = useState(wanted);
  if (before !== wanted) {
    setBefore(wanted);
    // Everything is shown again: not only the field itself leads there.
    if (!wanted) setText('');
  }
  useEffect(() => {
    const timer = setTimeout(() => {
      const { filter } = useRuns.getState();
      const { q = '', ...others } = filter;
      const words = text.trim();
      if (words !== q) void loadFirst(words ? { ...others, q: words } : others);
    }, AT_REST_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label className="flex h-9 min-w-0 max-w-xs grow items-center gap-2 rounded-full bg-well px-3.5 text-muted focus-within:text-text focus-within:outline-2 focus-within:outline-offset-2 focus-within:outline-(--focus)">
      <Search aria-hidden size={15} className="shrink-0" />
      <input
        type="search"
        aria-label={strings.runs.search}
        placeholder={strings.runs.search}
        maxLength={200}
        value={text}
        onChange={(event) => setText(event.target.value)}
        className="min-w-0 grow bg-transparent text-sm outline-none placeholder:text-muted"
      />
    </label>
  );
}
