/** The shape of the picture and the quality; only what the task offers here can be chosen. */
import { ChevronDown } from 'lucide-react';
import type { AspectRatio } from '@/api/types';
import { strings } from '@/strings';
import { Menu } from '@/ui/Menu';
import { ASPECTS, QUALITIES } from '../model/draft';
import { useComposer } from '../model/store';
import { useProfile, useProfiles } from '../model/useProfile';
import { chipButton } from './looks';

const SHAPES: Record<AspectRatio, string> = {
  '9:16': 'h-4 w-2.5',
  '16:9': 'h-2.5 w-4',
  '1:1': 'size-3.5',
};

function Shape({ aspect }: { aspect: AspectRatio }) {
  return (
    <span aria-hidden className="grid size-4 place-items-center">
      <span className={`${SHAPES[aspect]} rounded-[3px] border-[1.5px] border-current`} />
    </span>
  );
}

export function AspectMenu() {
  const { settings, set } = useComposer();
  const sizes = useProfile()?.sizes;
  return (
    <Menu
      label={`${strings.composer.aspect}: ${strings.composer.aspects[settings.aspect]}`}
      align="end"
      className={chipButton}
      trigger={
        <>
          <Shape aspect={settings.aspect} />
          {settings.aspect}
        </>
      }
      items={ASPECTS.map((aspect) => {
        const size = sizes?.[aspect];
        const absent = sizes !== undefined && size === undefined;
        return {
          key: aspect,
          label: strings.composer.aspects[aspect],
          detail: absent ? strings.composer.notHere : size?.join(' × '),
          icon: <Shape aspect={aspect} />,
          checked: aspect === settings.aspect,
          disabled: absent,
          onSelect: () => set({ aspect }),
        };
      })}
    />
  );
}

export function QualityMenu() {
  const { settings, set } = useComposer();
  const profileIn = useProfiles();
  return (
    <Menu
      label={`${strings.composer.quality}: ${strings.composer.qualities[settings.quality]}`}
      className={chipButton}
      trigger={
        <>
          {strings.composer.qualities[settings.quality]}
          <ChevronDown aria-hidden size={14} className="text-faint" />
        </>
      }
      items={QUALITIES.map((quality) => {
        const absent = profileIn(quality)?.available === false;
        return {
          key: quality,
          label: strings.composer.qualities[quality],
          detail: absent ? strings.composer.notHere : strings.composer.qualityHelp[quality],
          checked: quality === settings.quality,
          disabled: absent,
          onSelect: () => set({ quality }),
        };
      })}
    />
  );
}
