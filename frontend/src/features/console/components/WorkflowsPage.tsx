/** Released workflow versions, which of them take new jobs, and what can be made with them here. */
import { useEffect } from 'react';
import { useCapabilities } from '@/api/capabilities';
import type { WorkflowView } from '@/api/types';
import { strings } from '@/strings';
import { activate, getActivations, getWorkflows, rollBack } from '../api/admin';
import { useAsked } from '../model/useAsked';
import { Act } from './Act';
import { Activations, Diff } from './Activations';
import { Id, Json, Part, Trouble } from './Bits';
import { Table } from './Table';

const words = strings.console;
const { columns } = words;

export function WorkflowsPage() {
  const asked = useAsked('workflows', getWorkflows);
  const history = useAsked('activations', getActivations);
  const changed = () => {
    asked.again();
    history.again();
  };
  return (
    <>
      <Trouble sentence={asked.trouble} />
      <Part title={words.workflows}>
        <Table
          label={words.workflows}
          headings={[
            columns.workflow,
            columns.state,
            columns.title,
            columns.mode,
            columns.kind,
            columns.lanes,
            columns.hash,
            columns.models,
            words.liveCheck,
            words.acts,
          ]}
          rows={(asked.answer ?? []).map((one) => ({
            key: `${one.workflow_name}${one.workflow_version}`,
            cells: [
              ...cellsOf(one),
              <Acts key="acts" one={one} all={asked.answer ?? []} done={changed} />,
            ],
          }))}
          empty={asked.answer ? words.none : strings.loading}
        />
      </Part>
      <Activations list={history.answer} />
      <Offered />
    </>
  );
}

function cellsOf(one: WorkflowView) {
  return [
    <span key="name" className="font-mono text-xs whitespace-nowrap">
      {one.workflow_name}@{one.workflow_version}
    </span>,
    one.active ? <span className="text-good">{words.active}</span> : '',
    one.title,
    [one.mode, one.submode].filter(Boolean).join(' / '),
    one.model_family,
    one.lanes.join(', '),
    <Id key="hash" id={one.sha256} what={columns.hash} />,
    <Json
      key="models"
      label={String(one.required_models.length)}
      value={{ models: one.required_models, custom_nodes: one.custom_nodes }}
    />,
    <Json
      key="check"
      label={words.runs(one.profiles.filter((p) => p.runs).length, one.profiles.length)}
      value={one.profiles}
    />,
  ];
}

interface ActsProps {
  one: WorkflowView;
  all: WorkflowView[];
  done: () => void;
}

function Acts({ one, all, done }: ActsProps) {
  const { workflow_name: name, workflow_version: version } = one;
  const standing = all.find((other) => other.workflow_name === name && other.active);
  if (one.active) {
    return (
      <Act
        label={words.rollBack}
        what={words.rollBackWhat}
        act={() => rollBack(name)}
        done={done}
      />
    );
  }
  return (
    <span className="flex flex-col items-start gap-2">
      <Act
        label={words.activate}
        what={words.activateWhat(`${name}@${version}`)}
        act={() => activate(name, version)}
        done={done}
      />
      {standing && <Diff name={name} old={standing.workflow_version} fresh={version} />}
    </span>
  );
}

/** What each mode and profile lacks, word for word: here the exact names belong. */
function Offered() {
  const { capabilities, refresh } = useCapabilities();
  useEffect(() => void refresh().catch(() => undefined), [refresh]);
  const rows = (capabilities?.modes ?? []).flatMap((mode) =>
    mode.submodes.flatMap((submode) =>
      submode.profiles.map((profile) => ({
        key: `${submode.workflow}${profile.profile}`,
        cells: [
          submode.title,
          profile.profile,
          profile.lane,
          profile.available ? (
            <span className="text-good">{words.well}</span>
          ) : (
            <Json label={words.lacks(profile.missing.length)} value={profile.missing} />
          ),
        ],
      })),
    ),
  );
  return (
    <Part title={words.canRun}>
      <Table
        label={words.canRun}
        headings={[columns.title, strings.composer.quality, columns.lane, columns.result]}
        rows={rows}
        empty={strings.loading}
      />
    </Part>
  );
}
