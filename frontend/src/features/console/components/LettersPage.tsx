/** What services gave up, and what webhooks were told: look, and send it again. */
import { parse } from '@/api/http';
import { strings } from '@/strings';
import {
  discardLetter,
  getLetter,
  listDeliveries,
  listLetters,
  redeliver,
  replayLetter,
} from '../api/letters';
import { useAsked } from '../model/useAsked';
import { Act } from './Act';
import { Id, Json, Part, Trouble, When } from './Bits';
import { OnDemand } from './OnDemand';
import { Table } from './Table';

const words = strings.console;
const { columns } = words;
const EVERY_MS = 5000;

export function LettersPage() {
  return (
    <>
      <Letters />
      <Deliveries />
    </>
  );
}

function Letters() {
  const asked = useAsked('letters', listLetters, EVERY_MS);
  return (
    <Part title={words.deadLetters}>
      <Trouble sentence={asked.trouble} />
      <Table
        label={words.deadLetters}
        headings={[
          columns.sequence,
          columns.time,
          columns.event,
          columns.job,
          columns.consumer,
          columns.note,
          words.payload,
          columns.state,
          words.acts,
        ]}
        rows={(asked.answer?.dead_letters ?? []).map((one) => ({
          key: String(one.sequence),
          cells: [
            one.sequence,
            <When key="at" at={one.at} />,
            one.event ?? one.subject ?? '',
            one.job_id && (
              <Id key="job" id={one.job_id} to={`/console/jobs/${one.job_id}`} what={columns.job} />
            ),
            <span key="consumer" className="font-mono text-xs">
              {one.consumer}
            </span>,
            one.reason,
            <OnDemand
              key="message"
              label={words.message}
              name={String(one.sequence)}
              ask={() => messageOf(one.sequence)}
            />,
            [one.state, one.dealt_by].filter(Boolean).join(', '),
            one.state === 'open' && (
              <span key="acts" className="flex flex-wrap gap-2">
                <Act
                  label={words.replayLetter}
                  what={words.replayLetterWhat}
                  act={() => replayLetter(one.sequence)}
                  done={asked.again}
                />
                <Act
                  label={words.discardLetter}
                  what={words.discardLetterWhat}
                  act={() => discardLetter(one.sequence)}
                  done={asked.again}
                />
              </span>
            ),
          ],
        }))}
        empty={asked.answer ? words.none : strings.loading}
      />
    </Part>
  );
}

/** What was given up, and why it could not be read where that was the reason. */
async function messageOf(sequence: number) {
  const { payload, problem } = await getLetter(sequence);
  return { problem, message: payload === null ? null : parse(payload) };
}

function Deliveries() {
  const asked = useAsked('deliveries', listDeliveries, EVERY_MS);
  return (
    <Part title={words.deliveries}>
      <Trouble sentence={asked.trouble} />
      <Table
        label={words.deliveries}
        headings={[
          columns.created,
          columns.event,
          columns.job,
          columns.state,
          columns.attempt,
          columns.result,
          words.acts,
        ]}
        rows={(asked.answer?.deliveries ?? []).map((one) => ({
          key: one.delivery_id,
          cells: [
            <When key="at" at={one.created_at} />,
            one.event,
            <Id key="job" id={one.job_id} to={`/console/jobs/${one.job_id}`} what={columns.job} />,
            one.status,
            one.attempts,
            <Json key="log" label={words.tries(one.log.length)} value={one.log} />,
            <Act
              key="act"
              label={words.redeliver}
              what={words.redeliverWhat}
              act={() => redeliver(one.delivery_id)}
              done={asked.again}
            />,
          ],
        }))}
        empty={asked.answer ? words.none : strings.loading}
      />
    </Part>
  );
}
