/** Every recorded event of a job in order, with the time since the one before. */
import type { EventView } from '@/api/types';
import { strings } from '@/strings';
import { exact } from '@/ui/format';
import { getEvents } from '../api/admin';
import { useAsked } from '../model/useAsked';
import { Json, Part, Trouble } from './Bits';
import { Table } from './Table';

const words = strings.console;
const { columns } = words;

/** `changed` is another text whenever there may be more events. */
export function Timeline({ jobId, changed }: { jobId: string; changed: string }) {
  const asked = useAsked(`${jobId}${changed}`, () => getEvents(jobId));
  const events = asked.answer ?? [];
  return (
    <Part title={words.timeline}>
      <Trouble sentence={asked.trouble} />
      <Table
        label={words.timeline}
        headings={[columns.sequence, columns.time, columns.event, words.payload]}
        rows={events.map((event, at) => ({
          key: String(event.sequence),
          cells: [
            <span key="seq" className="font-mono text-xs text-muted">
              {event.sequence}
            </span>,
            <time key="at" dateTime={event.occurred_at} className="whitespace-nowrap tabular-nums">
              {exact(event.occurred_at)} {sinceBefore(events, at)}
            </time>,
            <span key="event" className="font-medium whitespace-nowrap">
              {event.event}
              {event.ignored && (
                <span className="block font-normal whitespace-normal text-muted">
                  {words.ignored(event.ignored)}
                </span>
              )}
            </span>,
            <Json key="data" label={event.event_id} value={event.data} />,
          ],
        }))}
        empty={asked.answer ? words.none : strings.loading}
      />
    </Part>
  );
}

function sinceBefore(events: EventView[], at: number): string {
  const before = events[at - 1];
  const event = events[at];
  if (!before || !event) return '';
  const passed_s = (Date.parse(event.occurred_at) - Date.parse(before.occurred_at)) / 1000;
  return `+${passed_s.toFixed(2)} s`;
}
