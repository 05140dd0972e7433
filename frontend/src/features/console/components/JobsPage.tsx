/** All jobs, newest first, by state and mode, and the way from an id to its job. */
import { type SyntheticEvent, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { ProblemError, sentenceOf } from '@/api/http';
import type { JobView, Mode, PublicState } from '@/api/types';
import { strings } from '@/strings';
import { Button } from '@/ui/Button';
import { inputLook } from '@/ui/Field';
import { getAsset, getByPrompt, getJob, type JobFilter, listJobs } from '../api/admin';
import { useAsked } from '../model/useAsked';
import { Id, State, Trouble, When } from './Bits';
import { Table } from './Table';

const words = strings.console;
const { columns } = words;
const EVERY_MS = 4000;
const STATES: PublicState[] = [
  'accepted',
  'uploaded',
  'queued',
  'executing',
  'collecting_outputs',
  'completed',
  'failed',
  'cancelled',
];
const MODES: Mode[] = ['animate', 'audio_performance', 'start_end', 'pose_control', 'motion_clip'];

export function JobsPage() {
  const asset = new URLSearchParams(useSearch()).get('asset') ?? '';
  return <Jobs key={asset} asset={asset} />;
}

function Jobs({ asset }: { asset: string }) {
  const [filter, setFilter] = useState<JobFilter>({ status: '', mode: '', asset });
  const [older, setOlder] = useState<{ jobs: JobView[]; cursor: string | null } | null>(null);
  const first = useAsked(JSON.stringify(filter), () => listJobs(filter, null), EVERY_MS);
  const newest = first.answer?.jobs ?? [];
  const known = new Set(newest.map((job) => job.job_id));
  const jobs = [...newest, ...(older?.jobs ?? []).filter((job) => !known.has(job.job_id))];
  const cursor = older ? older.cursor : (first.answer?.next_cursor ?? null);

  const [trouble, setTrouble] = useState<string | null>(null);

  function more() {
    listJobs(filter, cursor).then(
      (page) => {
        setTrouble(null);
        setOlder({ jobs: [...(older?.jobs ?? newest), ...page.jobs], cursor: page.next_cursor });
      },
      (thrown: unknown) => setTrouble(sentenceOf(thrown).sentence),
    );
  }

  function choose(change: Partial<JobFilter>) {
    setOlder(null);
    setFilter({ ...filter, ...change });
  }

  return (
    <>
      <div className="flex flex-wrap items-center gap-2">
        <Search />
        <select
          aria-label={columns.status}
          value={filter.status}
          onChange={(event) => choose({ status: event.target.value as PublicState | '' })}
          className={`${inputLook} max-w-48`}
        >
          <option value="">{words.anyStatus}</option>
          {STATES.map((state) => (
            <option key={state}>{state}</option>
          ))}
        </select>
        <select
          aria-label={columns.mode}
          value={filter.mode}
          onChange={(event) => choose({ mode: event.target.value as Mode | '' })}
          className={`${inputLook} max-w-48`}
        >
          <option value="">{words.anyMode}</option>
          {MODES.map((mode) => (
            <option key={mode}>{mode}</option>
          ))}
        </select>
      </div>
      {asset && (
        <p className="text-sm text-muted">
          {words.ofAsset(asset)} ·{' '}
          <Link href="/console" className="text-accent-text hover:underline">
            {words.allJobs}
          </Link>
        </p>
      )}
      <Trouble sentence={first.trouble ?? trouble} />
      <Table
        label={words.jobs}
        headings={[
          columns.job,
          columns.status,
          columns.mode,
          columns.prompt,
          columns.workflow,
          columns.attempt,
          columns.promptId,
          columns.created,
        ]}
        rows={jobs.map((job) => ({ key: job.job_id, cells: cellsOf(job) }))}
        empty={first.answer ? words.none : strings.loading}
      />
      {cursor && (
        <Button onClick={more} className="self-center">
          {words.more}
        </Button>
      )}
    </>
  );
}

function cellsOf(job: JobView) {
  return [
    <Id key="id" id={job.job_id} to={`/console/jobs/${job.job_id}`} what={columns.job} />,
    <State key="state" status={job.status} />,
    job.mode,
    <span key="prompt" className="line-clamp-1 min-w-40" title={job.prompt}>
      {job.prompt}
    </span>,
    <span key="workflow" className="font-mono text-xs">
      {job.workflow_template}
    </span>,
    job.attempt,
    job.comfy_prompt_id && <Id key="prompt-id" id={job.comfy_prompt_id} what={columns.promptId} />,
    <When key="created" at={job.created_at} />,
  ];
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function Search() {
  const [text, setText] = useState('');
  const [trouble, setTrouble] = useState<string | null>(null);
  const [, navigate] = useLocation();

  async function find(event: SyntheticEvent) {
    event.preventDefault();
    const id = text.trim().toLowerCase();
    setTrouble(UUID.test(id) ? null : words.notAnId);
    if (!UUID.test(id)) return;
    try {
      navigate(await placeOf(id));
    } catch (thrown) {
      const gone = thrown instanceof ProblemError && thrown.problem.status === 404;
      setTrouble(gone ? words.notFound : sentenceOf(thrown).sentence);
    }
  }

  return (
    <form role="search" onSubmit={(event) => void find(event)} className="flex items-center gap-2">
      <input
        type="search"
        aria-label={words.search}
        placeholder={words.search}
        value={text}
        onChange={(event) => setText(event.target.value)}
        className={`${inputLook} w-72 font-mono`}
      />
      <Button type="submit">{words.searchAction}</Button>
      <span role="status" className="text-sm text-danger">
        {trouble}
      </span>
    </form>
  );
}

/** Where an id leads: to its job, to the job of a prompt, or to the jobs that name an asset. */
async function placeOf(id: string): Promise<string> {
  const job =
    (await unlessUnknown(getJob(id))) ?? (await unlessUnknown(getByPrompt(id).then((p) => p.job)));
  if (job) return `/console/jobs/${job.job_id}`;
  return `/console?asset=${(await getAsset(id)).asset_id}`;
}

function unlessUnknown<T>(asked: Promise<T>): Promise<T | null> {
  return asked.catch((thrown: unknown) => {
    if (thrown instanceof ProblemError && thrown.problem.status === 404) return null;
    throw thrown;
  });
}
