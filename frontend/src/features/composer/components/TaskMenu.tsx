/** What to make. Tasks that cannot be made here stay visible and say why. */
import {
  AudioLines,
  ChevronDown,
  Film,
  PersonStanding,
  Repeat2,
  Spline,
  UserRoundPen,
} from 'lucide-react';
import { useCapabilities } from '@/api/capabilities';
import { type Offer, offerOf, type Task, TASKS } from '@/model/tasks';
import { strings } from '@/strings';
import { Menu } from '@/ui/Menu';
import { useComposer } from '../model/store';
import { chipButton } from './looks';

const ICONS: Record<Task, typeof Film> = {
  move: PersonStanding,
  mix: UserRoundPen,
  audio: AudioLines,
  start_end: Film,
  pose_control: Spline,
  motion_clip: Repeat2,
};

export function TaskMenu() {
  const { task, setTask } = useComposer();
  const capabilities = useCapabilities((s) => s.capabilities);
  const Icon = ICONS[task];
  return (
    <Menu
      label={`${strings.task.label}: ${strings.tasks[task].name}`}
      align="end"
      className={chipButton}
      trigger={
        <>
          <Icon aria-hidden size={16} />
          {strings.tasks[task].name}
          <ChevronDown aria-hidden size={14} className="text-faint" />
        </>
      }
      items={TASKS.map((one) => {
        const offer = offerOf(capabilities, one);
        const ItemIcon = ICONS[one];
        return {
          key: one,
          label: strings.tasks[one].name,
          detail: reason(offer) ?? strings.tasks[one].what,
          icon: <ItemIcon aria-hidden size={18} />,
          checked: one === task,
          disabled: offer.state === 'absent' || offer.state === 'lacking',
          onSelect: () => setTask(one),
        };
      })}
    />
  );
}

function reason(offer: Offer): string | undefined {
  if (offer.state === 'absent') return strings.task.absent;
  return offer.state === 'lacking' ? strings.task.lacking(offer.count) : undefined;
}
