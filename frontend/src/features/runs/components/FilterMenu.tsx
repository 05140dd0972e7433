/** Which runs are shown. */
import { ChevronDown } from 'lucide-react';
import { strings } from '@/strings';
import { Menu } from '@/ui/Menu';
import type { Filter } from '../api/jobs';
import { loadFirst } from '../model/loading';
import { useRuns } from '../model/store';

const FILTERS = {
  all: {},
  completed: { status: 'completed' },
  failed: { status: 'failed' },
  cancelled: { status: 'cancelled' },
  animate: { mode: 'animate' },
  audio_performance: { mode: 'audio_performance' },
  start_end: { mode: 'start_end' },
  pose_control: { mode: 'pose_control' },
  motion_clip: { mode: 'motion_clip' },
} as const satisfies Record<string, Filter>;
type Name = keyof typeof FILTERS;

export function FilterMenu() {
  const filter = useRuns((s) => s.filter);
  const names = Object.keys(FILTERS) as Name[];
  const chosen = names.find((name) => isSame(FILTERS[name], filter)) ?? 'all';
  return (
    <Menu
      label={`${strings.runs.filter}: ${strings.runs.filters[chosen]}`}
      side="below"
      align="end"
      className="inline-flex min-h-9 items-center gap-1.5 rounded-full px-3 text-sm text-muted hover:bg-hover hover:text-text"
      trigger={
        <>
          {strings.runs.filters[chosen]}
          <ChevronDown aria-hidden size={14} />
        </>
      }
      items={names.map((name) => ({
        key: name,
        label: strings.runs.filters[name],
        checked: name === chosen,
        onSelect: () => void loadFirst({ ...FILTERS[name], ...(filter.q && { q: filter.q }) }),
      }))}
    />
  );
}

function isSame(a: Filter, b: Filter): boolean {
  return a.status === b.status && a.mode === b.mode;
}
