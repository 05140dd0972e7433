/** A place that the task still needs filled. */
import { strings } from '@/strings';
import type { AttachmentRole } from '../model/roles';
import { ROLE_ICONS } from './AddMenu';

interface GhostChipProps {
  role: AttachmentRole;
  compact: boolean;
  onPick: () => void;
}

export function GhostChip({ role, compact, onPick }: GhostChipProps) {
  const Icon = ROLE_ICONS[role];
  const name = strings.roles[role];
  return (
    <button
      type="button"
      aria-label={strings.attach.addRole(name)}
      title={strings.roleHelp[role]}
      onClick={onPick}
      className="flex h-11 items-center gap-2 rounded-2xl border border-dashed border-faint/60 px-3 text-sm text-muted transition-colors hover:border-text hover:text-text"
    >
      <Icon aria-hidden size={18} />
      {!compact && name}
    </button>
  );
}
