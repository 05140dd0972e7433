/** One job from end to end: state, inputs, timeline, outputs, and what an operator can do. */
import { Ban, RotateCcw } from 'lucide-react';
import { useSession } from '@/api/session';
import type { JobView } from '@/api/types';
import { strings } from '@/strings';
import { cancelJob, getJob, retryJob } from '../api/admin';
import { useAsked } from '../model/useAsked';
import { Act } from './Act';
import { Id, Json, Part, State, Trouble, When } from './Bits';
import { Graphs } from './Graphs';
import { Outputs } from './Outputs';
import { Plan } from './Plan';
import { Replay } from './Replay';
import { Table } from './Table';
import { Timeline } from './Timeline';

const words = strings.console;
const { columns } = words;
const EVERY_MS = 2000;
const ENDED = new Set(['completed', 'failed', 'cancelled']);

export function JobPage({ jobId }: { jobId: string }) {
  const asked = useAsked(jobId, () => getJob(jobId), EVERY_MS);
  const job = asked.answer;
  return (
    <>
      <Trouble sentence={asked.trouble} />
      {!job && !asked.trouble && <p className="text-muted">{strings.loading}</p>}
      {job && (
        <>
          <Part title={words.details}>
            <Facts job={job} />
            {job.error && (
              <Trouble sentence={`${job.error.code}: ${job.error.sentence} ${job.error.remedy}`} />
            )}
            <Acts job={job} done={asked.again} />
          </Part>
          <Part title={words.inputs}>
            <Table
              label={words.inputs}
              headings={[columns.role, columns.asset, columns.note]}
              rows={job.assets.map((asset) => ({
                key: `${asset.role}${asset.index}`,
                cells: [
                  asset.role,
                  <Id
                    key="id"
                    id={asset.asset_id}
                    to={`/console?asset=${asset.asset_id}`}
                    what={columns.asset}
                  />,
                  asset.used ? words.used : (asset.note ?? words.stored),
                ],
              }))}
              empty={words.none}
            />
            <Json label={words.settings} value={job.settings_json} />
          </Part>
          <Plan jobId={jobId} />
          <Timeline jobId={jobId} changed={`${job.status}${job.updated_at}`} />
          <Graphs jobId={jobId} changed={`${job.status}${job.attempt}`} />
          {job.status === 'completed' && <Outputs job={job} />}
        </>
      )}
    </>
  );
}

function Facts({ job }: { job: JobView }) {
  const traces = useSession((s) => s.session?.trace_url_template);
  const { width_px, height_px, fps, frames } = job.delivery;
  const facts: [string, React.ReactNode][] = [
    [columns.job, <Id key="id" id={job.job_id} what={columns.job} />],
    [columns.status, <State key="state" status={job.status} />],
    [columns.prompt, job.prompt],
    [columns.mode, job.mode],
    [
      columns.workflow,
      <span className="font-mono text-xs" key="w">
        {job.workflow_template}
      </span>,
    ],
    [columns.size, `${width_px} × ${height_px}, ${frames} @ ${fps}`],
    [columns.attempt, job.attempt],
    [
      columns.promptId,
      job.comfy_prompt_id && <Id key="p" id={job.comfy_prompt_id} what={columns.promptId} />,
    ],
    [columns.created, <When key="when" at={job.created_at} full />],
    [columns.queue, job.queue?.position],
    [columns.result, job.progress && `${job.progress.percent} % · ${job.progress.phase}`],
    [columns.note, job.notes.join(' ')],
    [
      words.trace,
      traces && (
        <a
          key="trace"
          href={traces.replaceAll('{job_id}', job.job_id)}
          target="_blank"
          rel="noreferrer"
          className="text-accent-text hover:underline"
        >
          {words.openTrace}
        </a>
      ),
    ],
  ];
  return (
    <dl className="grid gap-x-6 gap-y-2 rounded-2xl bg-surface p-4 text-[0.8125rem] sm:grid-cols-[8rem_1fr] xl:grid-cols-[8rem_1fr_8rem_1fr]">
      {facts
        .filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-muted">{name}</dt>
            <dd className="min-w-0">{value}</dd>
          </div>
        ))}
    </dl>
  );
}

function Acts({ job, done }: { job: JobView; done: () => void }) {
  return (
    <div className="flex flex-wrap items-start gap-2">
      {job.status === 'failed' && (
        <Act
          icon={<RotateCcw aria-hidden size={15} />}
          label={words.retry}
          what={words.retryWhat}
          act={() => retryJob(job.job_id)}
          done={done}
        />
      )}
      {!ENDED.has(job.status) && !job.cancel_requested && (
        <Act
          icon={<Ban aria-hidden size={15} />}
          label={words.cancel}
          what={words.cancelWhat}
          act={() => cancelJob(job.job_id)}
          done={done}
        />
      )}
      {ENDED.has(job.status) && <Replay job={job} done={done} />}
    </div>
  );
}
