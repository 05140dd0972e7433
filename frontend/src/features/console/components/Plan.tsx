/** What a job was resolved to before anything ran: its stages, and what its pose sheets were to say. */
import type { JobPlan } from '@/api/types';
import { strings } from '@/strings';
import { getPlan } from '../api/admin';
import { useAsked } from '../model/useAsked';
import { Id, Json, Part, Trouble } from './Bits';
import { Table } from './Table';

const words = strings.console;
const { columns } = words;

export function Plan({ jobId }: { jobId: string }) {
  const asked = useAsked(jobId, () => getPlan(jobId));
  const plan = asked.answer;
  return (
    <>
      <Trouble sentence={asked.trouble} />
      {plan && <KeyPoses plan={plan} />}
      {plan && (
        <Part title={words.stages}>
          <Table
            label={words.stages}
            headings={[columns.step, columns.kind, columns.workflow, words.payload]}
            rows={plan.stages.map((stage, at) => ({
              key: String(at),
              cells: [
                at + 1,
                stage.kind,
                <span key="workflow" className="font-mono text-xs">
                  {stage.kind === 'comfy_workflow' &&
                    `${stage.workflow.name}@${stage.workflow.version}`}
                </span>,
                <Json key="data" label={words.stage(at + 1)} value={stage} />,
              ],
            }))}
            empty={words.none}
          />
        </Part>
      )}
    </>
  );
}

/** Those of the order come first: where it gives any, those mapped on a sheet are not said. */
function KeyPoses({ plan }: { plan: JobPlan }) {
  const ordered = plan.settings['key_pose_hints'];
  const own = Array.isArray(ordered) ? ordered.map(String) : [];
  const mapped = plan.assets.flatMap((asset) =>
    asset.key_poses.map((pose) => ({ asset: asset.asset_id, ...pose })),
  );
  if (!plan.assets.some((asset) => asset.role === 'pose_sheet')) return null;
  return (
    <Part title={words.keyPoses}>
      <Table
        label={words.keyPoses}
        headings={[columns.hint, columns.asset, columns.frame]}
        rows={[
          ...own.map((hint, at) => ({
            key: `own${at}`,
            cells: [hint, words.ofTheOrder, ''],
          })),
          ...mapped.map(({ hint, asset, frame }, at) => ({
            key: `mapped${at}`,
            cells: [
              hint,
              <Id key="asset" id={asset} what={columns.asset} />,
              frame && `${frame.width_px} × ${frame.height_px} + ${frame.x_px}, ${frame.y_px}`,
            ],
          })),
        ]}
        empty={words.noKeyPoses}
      />
    </Part>
  );
}
