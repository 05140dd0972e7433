/**
 * Says how the queue stands: what the gateway warns of, else that many videos are before the first
 * of one's own.
 */
import { Hourglass } from 'lucide-react';
import { useCapabilities } from '@/api/capabilities';
import { strings } from '@/strings';
import { Notice } from '@/ui/Notice';
import { useRuns } from '../model/store';

const MANY = 5;

export function BusyNotice() {
  const ahead = useRuns((s) => {
    const places = s.runs.flatMap((run) =>
      run.status === 'queued' && run.position !== null ? [run.position - 1] : [],
    );
    const own = s.runs.filter((run) => run.status === 'executing').length;
    return places.length > 0 && own === 0 ? Math.min(...places) : Math.max(0, ...places);
  });
  const warning = useCapabilities((s) => s.capabilities?.queue_warnings[0]);
  if (warning) {
    return (
      <Notice icon={<Hourglass aria-hidden size={16} />}>
        {warning.sentence} {warning.remedy}
      </Notice>
    );
  }
  if (ahead < MANY) return null;
  return <Notice icon={<Hourglass aria-hidden size={16} />}>{strings.runs.busy(ahead)}</Notice>;
}
