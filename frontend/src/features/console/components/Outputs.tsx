/** What a completed job delivered: the video, its files with hashes, the manifest, debug metadata. */
import type { JobView, OutputsView } from '@/api/types';
import { strings } from '@/strings';
import { bytes } from '@/ui/format';
import { getFile, getOutputs } from '../api/admin';
import { useAsked } from '../model/useAsked';
import { Id, Json, Part, Trouble } from './Bits';
import { Table } from './Table';

const words = strings.console;
const { columns } = words;

const LOOK = 'max-h-72 max-w-full rounded-2xl bg-black';

export function Outputs({ job }: { job: JobView }) {
  const asked = useAsked(`${job.job_id}${job.attempt}`, () => getOutputs(job.job_id));
  const outputs = asked.answer;
  const picture = job.video_mime_type?.startsWith('image/') ?? false;
  return (
    <>
      <Trouble sentence={asked.trouble} />
      {outputs && (
        <Part title={words.files}>
          <div className="flex flex-wrap items-start gap-4">
            {picture ? (
              <img src={outputs.video_url} alt={job.prompt} className={LOOK} />
            ) : (
              <video
                src={outputs.video_url}
                poster={outputs.poster_url}
                controls
                muted
                playsInline
                preload="none"
                aria-label={job.prompt}
                className={LOOK}
              />
            )}
            <div className="min-w-0 grow">
              <FileTable outputs={outputs} />
            </div>
          </div>
          <Document title={words.manifest} url={outputs.manifest_url} />
          <Document title={words.debug} url={urlOf(outputs, 'debug_metadata.json')} />
        </Part>
      )}
    </>
  );
}

function urlOf(outputs: OutputsView, name: string): string | undefined {
  return outputs.files.find((file) => file.name === name)?.url;
}

function FileTable({ outputs }: { outputs: OutputsView }) {
  return (
    <Table
      label={words.files}
      headings={[words.files, columns.size, columns.hash]}
      rows={outputs.files.map((file) => ({
        key: file.name,
        cells: [
          <a key="name" href={file.url} className="text-accent-text hover:underline">
            {file.name}
          </a>,
          bytes(file.size_bytes),
          <Id key="hash" id={file.sha256} what={columns.hash} />,
        ],
      }))}
      empty={words.none}
    />
  );
}

function Document({ title, url }: { title: string; url: string | undefined }) {
  const asked = useAsked(url ?? '', () => (url ? getFile(url) : Promise.resolve(null)));
  if (!url) return null;
  return (
    <>
      <Trouble sentence={asked.trouble} />
      {asked.answer !== null && <Json label={title} value={asked.answer} />}
    </>
  );
}
