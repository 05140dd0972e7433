/** Who activated and rolled back which workflow version, and what makes two versions differ. */
import { useState } from 'react';
import { sentenceOf } from '@/api/http';
import type { ActivationView } from '@/api/types';
import { strings } from '@/strings';
import { difference } from '../api/admin';
import { Part, Trouble, When } from './Bits';
import { Table } from './Table';

const words = strings.console;
const { columns } = words;

export function Activations({ list }: { list: ActivationView[] | null }) {
  return (
    <Part title={words.activations}>
      <Table
        label={words.activations}
        headings={[
          columns.time,
          columns.mode,
          words.acts,
          columns.workflow,
          words.by,
          columns.note,
        ]}
        rows={(list ?? []).map((one) => ({
          key: `${one.mode}${one.submode ?? ''}${one.revision}`,
          cells: [
            <When key="at" at={one.at} />,
            [one.mode, one.submode].filter(Boolean).join(' / '),
            one.forced ? words.forced(one.action) : one.action,
            <span key="to" className="font-mono text-xs">
              {one.previous_name}@{one.previous_version} → {one.workflow_name}@
              {one.workflow_version}
            </span>,
            one.by,
            one.note ?? '',
          ],
        }))}
        empty={list ? words.none : strings.loading}
      />
    </Part>
  );
}

/** The lines that differ between two versions of a workflow, asked for when it is opened. */
export function Diff({ name, old, fresh }: { name: string; old: string; fresh: string }) {
  const [lines, setLines] = useState<string[] | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  function ask(open: boolean) {
    if (!open || lines) return;
    difference(name, old, fresh).then(
      (found) => setLines(found.lines),
      (thrown: unknown) => setTrouble(sentenceOf(thrown).sentence),
    );
  }
  return (
    <details
      className="rounded-xl bg-well px-3 py-2"
      onToggle={(event) => ask(event.currentTarget.open)}
    >
      <summary className="text-muted hover:text-text">{words.diff(old)}</summary>
      <Trouble sentence={trouble} />
      {lines && (
        <pre
          tabIndex={0}
          aria-label={words.diff(old)}
          className="mt-2 max-h-96 overflow-auto font-mono text-xs"
        >
          {lines.join('\n') || words.same}
        </pre>
      )}
    </details>
  );
}
