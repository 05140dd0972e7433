/** The bound graph of each step of a job, to read and to save; nothing before it is composed. */
import type { Export } from '@/api/types';
import { ProblemError } from '@/api/http';
import { strings } from '@/strings';
import { getExport, getFile } from '../api/admin';
import { useAsked } from '../model/useAsked';
import { Id, Part, Trouble } from './Bits';
import { OnDemand } from './OnDemand';
import { Table } from './Table';

const words = strings.console;
const { columns } = words;

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
                <OnDemand
                  key="graph"
                  label={words.graph(step.step + 1)}
                  name={step.graph_url}
                  ask={() => getFile(step.graph_url)}
                />,
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

const TOO_EARLY = 409;

function unlessTooEarly(asked: Promise<Export>): Promise<Export | null> {
  return asked.catch((thrown: unknown) => {
    if (thrown instanceof ProblemError && thrown.problem.status === TOO_EARLY) return null;
    throw thrown;
  });
}
