/** The bound graph of each step of a job, to read and to save; nothing before it is composed. */
import { useState } from 'react';
import type { Export } from '@/api/types';
import { ProblemError } from '@/api/http';
import { strings } from '@/strings';
import { getExport, getFile } from '../api/admin';
import { useAsked } from '../model/useAsked';
import { Id, Json, Part, Trouble } from './Bits';
import { Table } from './Table';

const words = strings.console;
const { columns } = words;

type Step = Export['steps'][number];

/** `changed` is another text whenever more steps may have run. */
export function Graphs({ jobId, changed }: { jobId: string; changed: string }) {
  const asked = useAsked(`${jobId}${changed}`, () => unlessTooEarly(getExport(jobId)));
  const found = asked.answer;
  return (
    <>
      <Trouble sentence={asked.trouble} />
      {found && found.steps.length + found.left_out.length > 0 && (
        <Part title={words.graphs}>
          <Table
            label={words.graphs}
            headings={[columns.step, columns.state, columns.hash, words.files, words.payload]}
            rows={found.steps.map((step) => ({
              key: String(step.step),
              cells: [
                step.step + 1,
                step.ran ? words.sent : words.planned,
                <Id key="hash" id={step.graph_sha256} what={columns.hash} />,
                <a
                  key="save"
                  href={step.graph_url}
                  download={`${jobId.slice(-12)}-step-${step.step + 1}.json`}
                  className="text-accent-text hover:underline"
                >
                  {words.save}
                </a>,
                <Graph key="graph" step={step} />,
              ],
            }))}
            empty={words.none}
          />
          {found.left_out.map((sentence) => (
            <p key={sentence} className="text-[0.8125rem] text-muted">
              {sentence}
            </p>
          ))}
        </Part>
      )}
    </>
  );
}

function Graph({ step }: { step: Step }) {
  const [wanted, setWanted] = useState(false);
  const asked = useAsked(wanted ? step.graph_url : '', () =>
    wanted ? getFile(step.graph_url) : Promise.resolve(null),
  );
  const label = words.graph(step.step + 1);
  if (asked.answer !== null) return <Json open label={label} value={asked.answer} />;
  return (
    <>
      <button
        type="button"
        onClick={() => setWanted(true)}
        className="min-h-6 text-[0.8125rem] text-accent-text hover:underline"
      >
        {label}
      </button>
      <Trouble sentence={asked.trouble} />
    </>
  );
}

const TOO_EARLY = 409;

function unlessTooEarly(asked: Promise<Export>): Promise<Export | null> {
  return asked.catch((thrown: unknown) => {
    if (thrown instanceof ProblemError && thrown.problem.status === TOO_EARLY) return null;
    throw thrown;
  });
}
