/** How much waits in front of every lane of the engines and of every service. */
import type { QueueReport } from '@/api/types';
import { strings } from '@/strings';
import { getQueue, pause, resume } from '../api/admin';
import { useAsked } from '../model/useAsked';
import { Act } from './Act';
import { Part, Trouble, When } from './Bits';
import { Table } from './Table';

const words = strings.console;
const { columns } = words;
const EVERY_MS = 2000;

type Consumer = QueueReport['consumers'][number];

export function QueuePage() {
  const asked = useAsked('queue', getQueue, EVERY_MS);
  const report = asked.answer;
  const lanes = report?.consumers.filter((consumer) => consumer.lane !== null) ?? [];
  const services = report?.consumers.filter((consumer) => consumer.lane === null) ?? [];
  return (
    <>
      <Trouble sentence={asked.trouble} />
      <div className="flex flex-wrap gap-2">
        <Act
          label={words.pauseAll}
          what={words.pauseWhat}
          act={() => pause(null)}
          done={asked.again}
        />
        <Act
          label={words.resumeAll}
          what={words.resumeWhat}
          act={() => resume(null)}
          done={asked.again}
        />
      </div>
      {report && report.pauses.length > 0 && (
        <Part title={words.pauses}>
          <Table
            label={words.pauses}
            headings={[words.what, words.by, columns.time, columns.note]}
            rows={report.pauses.map((one) => ({
              key: one.what,
              cells: [
                one.what,
                one.by,
                one.at ? <When key="at" at={one.at} /> : '',
                one.reason ?? '',
              ],
            }))}
            empty={words.none}
          />
        </Part>
      )}
      <Part title={words.lanes}>
        <Consumers
          label={words.lanes}
          list={lanes}
          first={columns.lane}
          loaded={report !== null}
          changed={asked.again}
        />
      </Part>
      <Part title={words.services}>
        <Consumers
          label={words.services}
          list={services}
          first={columns.service}
          loaded={report !== null}
        />
      </Part>
      {report && report.absent.length > 0 && (
        <p className="text-[0.8125rem] text-muted">
          {words.absent}: <span className="font-mono text-xs">{report.absent.join(', ')}</span>
        </p>
      )}
    </>
  );
}

interface ConsumersProps {
  label: string;
  list: Consumer[];
  first: string;
  loaded: boolean;
  /** Given where lines can be paused. */
  changed?: () => void;
}

function Consumers({ label, list, first, loaded, changed }: ConsumersProps) {
  return (
    <Table
      label={label}
      headings={[
        first,
        columns.consumer,
        columns.pending,
        columns.inHand,
        columns.redelivered,
        columns.state,
        ...(changed ? [words.acts] : []),
      ]}
      rows={list.map((consumer) => ({
        key: consumer.consumer,
        cells: [
          consumer.lane ?? consumer.service,
          <span key="name" className="font-mono text-xs">
            {consumer.consumer}
          </span>,
          consumer.pending,
          consumer.in_hand,
          consumer.redelivered,
          consumer.paused ? words.paused : words.running,
          ...(changed && consumer.lane
            ? [
                <PauseOrResume
                  key="act"
                  lane={consumer.lane}
                  paused={consumer.paused}
                  done={changed}
                />,
              ]
            : []),
        ],
      }))}
      empty={loaded ? words.lanesIdle : strings.loading}
    />
  );
}

interface PauseProps {
  lane: string;
  paused: boolean;
  done: () => void;
}

function PauseOrResume({ lane, paused, done }: PauseProps) {
  return paused ? (
    <Act label={words.resume} what={words.resumeWhat} act={() => resume(lane)} done={done} />
  ) : (
    <Act label={words.pause} what={words.pauseWhat} act={() => pause(lane)} done={done} />
  );
}
