/** What can be done with a run, from its card. */
import { Columns2, Copy, Download, Ellipsis, Image, Link, RefreshCw, Trash2 } from 'lucide-react';
import { strings } from '@/strings';
import { Menu, type MenuItem } from '@/ui/Menu';
import { download } from '../model/sharing';
import { hasEnded, type Run } from '../model/run';
import type { CardActions } from './RunCard';

const words = strings.again;

interface CardMenuProps {
  run: Run;
  actions: CardActions;
  onRemove: () => void;
  onCopyLink: () => void;
}

export function CardMenu({ run, actions, onRemove, onCopyLink }: CardMenuProps) {
  const item = (key: string, label: string, Icon: typeof Copy, onSelect: () => void): MenuItem => ({
    key,
    label,
    icon: <Icon aria-hidden size={16} />,
    onSelect,
  });
  const made: MenuItem[] = [
    ...(run.picture
      ? []
      : [
          item('first', words.firstFrame, Image, () => actions.useFrame(run, 'first')),
          item('last', words.lastFrame, Image, () => actions.useFrame(run, 'last')),
        ]),
    item('compare', words.compare, Columns2, () => actions.compare(run)),
    item('download', words.download, Download, () => download(run)),
    item('link', words.link, Link, onCopyLink),
  ];
  const items: MenuItem[] = [
    item('again', words.settings, Copy, () => actions.again(run)),
    item('variation', words.variation, RefreshCw, () => actions.variation(run)),
    ...(run.status === 'completed' ? made : []),
    ...(hasEnded(run)
      ? [{ ...item('remove', strings.runs.remove, Trash2, onRemove), danger: true }]
      : []),
  ];
  return (
    <Menu
      label={strings.runs.more}
      align="end"
      className="grid size-9 place-items-center rounded-full text-muted transition-colors hover:bg-hover hover:text-text"
      trigger={<Ellipsis aria-hidden size={18} />}
      items={items}
    />
  );
}
