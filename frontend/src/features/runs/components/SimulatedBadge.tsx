/** Says on the picture itself that no real generator made it. */
import { FlaskConical } from 'lucide-react';
import { strings } from '@/strings';

export function SimulatedBadge() {
  return (
    <span
      title={strings.header.simulatedWhy}
      className="pointer-events-none absolute top-2 left-2 flex items-center gap-1 rounded-full bg-black/60 px-2 py-1 text-xs font-medium text-white"
    >
      <FlaskConical aria-hidden size={12} />
      {strings.runs.simulated}
    </span>
  );
}
