/** The attachments as things: what is there, what the task still needs, and a plus for more. */
import { lazy, type ReactNode, Suspense, useRef, useState } from 'react';
import type { JobPlan } from '@/api/types';
import { strings } from '@/strings';
import { attachFiles } from '../model/attaching';
import { accepting, type AttachmentRole, emptyPlaces, kindOfRole, rolesIn } from '../model/roles';
import { useComposer } from '../model/store';
import { type Need, sentencesAt } from '../model/validation';
import { AddMenu } from './AddMenu';
import { AttachmentDialog } from './AttachmentDialog';
import { Chip } from './Chip';
import { GhostChip } from './GhostChip';
import type { Shelf } from './LibraryDialog';

const LibraryDialog = lazy(() =>
  import('./LibraryDialog').then((module) => ({ default: module.LibraryDialog })),
);

interface AttachmentRailProps {
  needs: Need[];
  plan: JobPlan | null;
  compact: boolean;
}

export function AttachmentRail({ needs, plan, compact }: AttachmentRailProps) {
  const { task, attachments } = useComposer();
  const [opened, setOpened] = useState<string | null>(null);
  const [shelf, setShelf] = useState<Shelf | null>(null);
  const picker = usePicker();
  const roles = rolesIn(task);
  const shown = roles.flatMap((role) => attachments.filter((a) => a.role === role));
  const absent = emptyPlaces(
    task,
    shown.map((a) => a.role),
  );
  const open = shown.find((a) => a.key === opened);
  return (
    <div role="group" aria-label={strings.attach.rail}>
      <ul className="flex flex-wrap items-center gap-2">
        {shown.map((one) => (
          <li key={one.key}>
            <Chip
              attachment={one}
              unused={isUnused(plan, one.assetId)}
              wrong={one.state === 'ready' && sentencesAt(needs, one.role) !== undefined}
              compact={compact}
              onOpen={() => setOpened(one.key)}
            />
          </li>
        ))}
        {absent.map((role) => (
          <li key={role}>
            <GhostChip role={role} compact={compact} onPick={() => picker.pick(role)} />
          </li>
        ))}
        <li>
          <AddMenu roles={roles} onPick={picker.pick} onShelf={setShelf} />
        </li>
      </ul>
      {picker.input}
      {shelf && (
        <Suspense>
          <LibraryDialog shelf={shelf} onClose={() => setShelf(null)} />
        </Suspense>
      )}
      {open && <AttachmentDialog attachment={open} roles={roles} onClose={() => setOpened(null)} />}
    </div>
  );
}

function isUnused(plan: JobPlan | null, assetId: string | null): boolean {
  return plan?.assets.some((use) => use.asset_id === assetId && !use.used) ?? false;
}

/** A hidden file input and a way to open it for a role (or for anything). */
function usePicker(): { pick: (role?: AttachmentRole) => void; input: ReactNode } {
  const input = useRef<HTMLInputElement>(null);
  const wanted = useRef<AttachmentRole | undefined>(undefined);
  return {
    pick: (role) => {
      if (!input.current) return;
      wanted.current = role;
      input.current.accept = accepting(role ? [kindOfRole(role)] : ['image', 'video', 'audio']);
      input.current.click();
    },
    input: (
      <input
        ref={input}
        type="file"
        multiple
        hidden
        data-testid="file-picker"
        onChange={(event) => {
          attachFiles(event.target.files ?? [], wanted.current);
          event.target.value = '';
        }}
      />
    ),
  };
}
