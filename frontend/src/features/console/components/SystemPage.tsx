/** Checks, streams and engines as the gateway sees them. */
import type { EngineSnapshot, HealthView } from '@/api/types';
import { strings } from '@/strings';
import { bytes } from '@/ui/format';
import { getHealth } from '../api/admin';
import { useAsked } from '../model/useAsked';
import { Json, Part, Trouble, When } from './Bits';
import { Storage } from './Storage';
import { Table } from './Table';

const words = strings.console;
const { columns } = words;
const EVERY_MS = 3000;

export function SystemPage() {
  const asked = useAsked('health', getHealth, EVERY_MS);
  const health = asked.answer;
  return (
    <>
      <Trouble sentence={asked.trouble} />
      {!health && !asked.trouble && <p className="text-muted">{strings.loading}</p>}
      {health && (
        <>
          <Engines engines={health.engines} />
          <Part title={health.ready ? words.ready : words.notReady}>
            <Table
              label={words.system}
              headings={[columns.check, columns.result]}
              rows={Object.entries(health.checks).map(([name, result]) => ({
                key: name,
                cells: [name, result ?? words.well],
              }))}
              empty={words.none}
            />
          </Part>
          <Storage />
          <Streams health={health} />
          <Part title={words.parked}>
            <Table
              label={words.parked}
              headings={[columns.stream, columns.sequence, columns.event, columns.note]}
              rows={health.parked.map((one) => ({
                key: `${one.stream}${one.sequence}`,
                cells: [one.stream, one.sequence, one.subject, one.reason],
              }))}
              empty={words.none}
            />
          </Part>
        </>
      )}
    </>
  );
}

function Engines({ engines }: { engines: EngineSnapshot[] }) {
  return (
    <Part title={words.engines}>
      <Table
        label={words.engines}
        headings={[
          columns.engine,
          columns.health,
          columns.version,
          columns.warm,
          columns.lanes,
          columns.queue,
          columns.memory,
          words.abilities,
          columns.seen,
        ]}
        rows={engines.map((engine) => ({
          key: engine.engine_id,
          cells: [
            `${engine.engine_id} (${engine.kind}${engine.simulated ? `, ${words.simulated}` : ''})`,
            <span key="health" className={engine.health === 'ready' ? 'text-good' : ''}>
              {engine.health} {engine.reason}
            </span>,
            engine.version,
            engine.warm_lane,
            engine.lanes.join(', '),
            engine.queue_remaining,
            engine.devices
              .map((d) => `${bytes(d.vram_free_bytes)} / ${bytes(d.vram_total_bytes)}`)
              .join(', '),
            <Json
              key="abilities"
              label={
                engine.shortfalls.length > 0
                  ? words.lacks(engine.shortfalls.length)
                  : words.lacksNothing
              }
              value={abilitiesOf(engine)}
            />,
            <When key="seen" at={engine.seen_at} />,
          ],
        }))}
        empty={words.none}
      />
    </Part>
  );
}

/** What it lacks stands first: that is what one looks for. */
function abilitiesOf({ shortfalls, webui, packages, choices, node_classes }: EngineSnapshot) {
  return { shortfalls, ...(webui && { webui }), packages, choices, node_classes };
}

function Streams({ health }: { health: HealthView }) {
  return (
    <Part title={columns.stream}>
      <Table
        label={columns.stream}
        headings={[columns.stream, columns.messages, columns.size, columns.sequence, columns.lag]}
        rows={health.streams.map((one) => ({
          key: one.stream,
          cells: [one.stream, one.messages, bytes(one.size_bytes), one.last_sequence, one.lag],
        }))}
        empty={words.none}
      />
    </Part>
  );
}
