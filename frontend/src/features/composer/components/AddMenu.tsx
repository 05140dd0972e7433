/** The plus button: any file, or a file for one role. */
import {
  AudioLines,
  BookUser,
  Clapperboard,
  Film,
  Image,
  Images,
  type LucideIcon,
  Palette,
  PanelLeft,
  PanelRight,
  PersonStanding,
  Plus,
  Spline,
  Upload,
} from 'lucide-react';
import { strings } from '@/strings';
import { Menu } from '@/ui/Menu';
import type { AttachmentRole } from '../model/roles';
import type { Shelf } from './LibraryDialog';

export const ROLE_ICONS: Record<AttachmentRole, LucideIcon> = {
  ground_truth: Image,
  reference: Images,
  pose_sheet: PersonStanding,
  audio: AudioLines,
  motion_video: Clapperboard,
  start_frame: PanelLeft,
  end_frame: PanelRight,
  control_video: Spline,
  still: Film,
};

interface AddMenuProps {
  roles: readonly AttachmentRole[];
  onPick: (role?: AttachmentRole) => void;
  onShelf: (shelf: Shelf) => void;
}

export function AddMenu({ roles, onPick, onShelf }: AddMenuProps) {
  return (
    <Menu
      label={strings.attach.add}
      className="grid size-11 place-items-center rounded-2xl bg-well text-muted transition-colors hover:bg-hover hover:text-text"
      trigger={<Plus aria-hidden size={20} />}
      items={[
        {
          key: 'any',
          label: strings.attach.add,
          detail: strings.attach.dropWhat,
          icon: <Upload aria-hidden size={18} />,
          onSelect: () => onPick(),
        },
        ...roles.map((role) => {
          const Icon = ROLE_ICONS[role];
          return {
            key: role,
            label: strings.roles[role],
            detail: strings.roleHelp[role],
            icon: <Icon aria-hidden size={18} />,
            onSelect: () => onPick(role),
          };
        }),
        {
          key: 'characters',
          label: strings.library.characters.menu,
          detail: strings.library.characters.menuHelp,
          icon: <BookUser aria-hidden size={18} />,
          onSelect: () => onShelf('characters'),
        },
        {
          key: 'styles',
          label: strings.library.styles.menu,
          detail: strings.library.styles.menuHelp,
          icon: <Palette aria-hidden size={18} />,
          onSelect: () => onShelf('styles'),
        },
      ]}
    />
  );
}
