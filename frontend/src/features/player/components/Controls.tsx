/** The row under a video: play, frame steps, position, loop, speed, sound, full screen. */
import {
  Maximize,
  Pause,
  Play,
  Repeat,
  StepBack,
  StepForward,
  Volume2,
  VolumeX,
} from 'lucide-react';
import { strings } from '@/strings';
import { IconButton } from '@/ui/Button';
import { clock } from '@/ui/format';
import { Menu } from '@/ui/Menu';
import type { Playback } from '../model/usePlayback';

const SPEEDS = [0.25, 0.5, 1, 1.5, 2];
const words = strings.player;

interface ControlsProps {
  playback: Playback;
  hasSound: boolean;
  onFull?: () => void;
}

export function Controls({ playback: p, hasSound, onFull }: ControlsProps) {
  return (
    <div className="flex flex-wrap items-center gap-0.5">
      <IconButton label={p.playing ? words.pause : words.play} onClick={p.toggle}>
        {p.playing ? <Pause aria-hidden size={18} /> : <Play aria-hidden size={18} />}
      </IconButton>
      <IconButton label={words.back} onClick={() => p.step(-1)}>
        <StepBack aria-hidden size={17} />
      </IconButton>
      <IconButton label={words.forward} onClick={() => p.step(1)}>
        <StepForward aria-hidden size={17} />
      </IconButton>
      <input
        type="range"
        aria-label={words.scrub}
        aria-valuetext={`${clock(p.at)} / ${clock(p.length)}`}
        min={0}
        max={p.length || 1}
        step={0.001}
        value={Math.min(p.at, p.length || 1)}
        onChange={(event) => p.seek(Number(event.target.value))}
        className="range mx-1 h-9 min-w-28 grow basis-40 cursor-pointer"
      />
      <span className="min-w-24 text-center text-[0.8125rem] text-muted tabular-nums">
        {clock(p.at)} / {clock(p.length)}
      </span>
      <IconButton
        label={words.loop}
        aria-pressed={p.loop}
        className={p.loop ? 'text-accent-text' : ''}
        onClick={() => p.setLoop(!p.loop)}
      >
        <Repeat aria-hidden size={17} />
      </IconButton>
      <Menu
        label={`${words.speed}: ${p.speed}×`}
        align="end"
        className="min-h-9 rounded-full px-2.5 text-sm text-muted tabular-nums hover:bg-hover hover:text-text"
        trigger={`${p.speed}×`}
        items={SPEEDS.map((speed) => ({
          key: String(speed),
          label: `${speed}×`,
          checked: speed === p.speed,
          onSelect: () => p.setSpeed(speed),
        }))}
      />
      {hasSound && (
        <IconButton
          label={p.muted ? words.unmute : words.mute}
          onClick={() => p.setMuted(!p.muted)}
        >
          {p.muted ? <VolumeX aria-hidden size={18} /> : <Volume2 aria-hidden size={18} />}
        </IconButton>
      )}
      {onFull && (
        <IconButton label={words.full} onClick={onFull}>
          <Maximize aria-hidden size={17} />
        </IconButton>
      )}
    </div>
  );
}
