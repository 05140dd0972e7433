/** One finished video, large, with everything that can be done with it. */
import { Columns2, Copy, Download, FlaskConical, Image, Link, RefreshCw } from 'lucide-react';
import { type KeyboardEvent, useRef, useState } from 'react';
import { strings } from '@/strings';
import { Button } from '@/ui/Button';
import { Dialog } from '@/ui/Dialog';
import type { Clip, ClipActions } from '../model/clip';
import { usePlayback } from '../model/usePlayback';
import { Controls } from './Controls';

const words = strings.player;

interface PlayerProps {
  clip: Clip;
  actions: ClipActions;
  onClose: () => void;
}

export function Player({ clip, actions, onClose }: PlayerProps) {
  const video = useRef<HTMLVideoElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const playback = usePlayback(video, clip.fps);
  const [broken, setBroken] = useState(false);

  function full() {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void frame.current?.requestFullscreen();
  }

  function onKeys(event: KeyboardEvent) {
    const onControl =
      event.target instanceof HTMLElement && event.target.closest('button, input, [role=menu]');
    const key = event.key.toLowerCase();
    if (key === 'l') playback.setLoop(!playback.loop);
    else if (key === 'f') full();
    else if (onControl) return;
    else if (key === ' ') playback.toggle();
    else if (key === 'arrowleft') playback.step(-1);
    else if (key === 'arrowright') playback.step(1);
    else return;
    event.preventDefault();
  }

  return (
    <Dialog wide title={words.label} titleHidden onClose={onClose}>
      <div onKeyDown={onKeys} className="grid gap-5 lg:grid-cols-[1fr_19rem]">
        <div
          ref={frame}
          className="flex min-w-0 flex-col gap-1 [&:fullscreen]:bg-black [&:fullscreen]:p-2"
        >
          {broken ? (
            <p role="alert" className="grid aspect-video place-items-center rounded-2xl bg-well">
              {words.broken} {words.downloadInstead}
            </p>
          ) : clip.picture ? (
            <img
              src={clip.videoUrl}
              alt={clip.prompt || clip.task}
              onError={() => setBroken(true)}
              style={{ aspectRatio: `${clip.width} / ${clip.height}` }}
              className="mx-auto max-h-[min(70dvh,calc(100dvh-13rem))] max-w-full min-h-0 grow rounded-2xl bg-black object-contain"
            />
          ) : (
            <video
              ref={video}
              src={clip.videoUrl}
              poster={clip.posterUrl ?? undefined}
              autoPlay
              playsInline
              tabIndex={0}
              aria-label={clip.prompt}
              onClick={playback.toggle}
              onError={() => setBroken(true)}
              style={{ aspectRatio: `${clip.width} / ${clip.height}` }}
              className="mx-auto max-h-[min(70dvh,calc(100dvh-13rem))] max-w-full min-h-0 grow rounded-2xl bg-black object-contain"
            />
          )}
          {!clip.picture && <Controls playback={playback} hasSound={clip.hasSound} onFull={full} />}
        </div>
        <div className="flex flex-col gap-4 lg:pt-9">
          {clip.simulated && (
            <p className="flex items-start gap-2 rounded-2xl bg-well px-3.5 py-2.5 text-sm">
              <FlaskConical aria-hidden size={16} className="mt-0.5 shrink-0" />
              {words.simulated}
            </p>
          )}
          <div>
            <p className="max-h-48 overflow-y-auto leading-relaxed">{clip.prompt}</p>
            <p className="mt-2 text-[0.8125rem] text-muted">
              {clip.task} · {clip.width} × {clip.height}
              {clip.seed && ` · ${words.seed(clip.seed)}`}
            </p>
          </div>
          <Actions clip={clip} actions={actions} at={playback.at} />
          {!clip.picture && <p className="hidden text-xs text-faint lg:block">{words.keys}</p>}
        </div>
      </div>
    </Dialog>
  );
}

interface ActionsProps {
  clip: Clip;
  actions: ClipActions;
  /** What the player shows, in seconds. */
  at: number;
}

function Actions({ clip, actions, at }: ActionsProps) {
  const [said, setSaid] = useState<string>(strings.again.link);
  const icon = (Icon: typeof Copy) => <Icon aria-hidden size={16} />;
  return (
    <div className="flex flex-wrap gap-2">
      <a
        href={clip.downloadUrl}
        download
        className="inline-flex min-h-9 items-center gap-2 rounded-full bg-accent px-3.5 text-sm font-semibold text-on-accent hover:bg-accent-hover"
      >
        {icon(Download)}
        {strings.again.download}
      </a>
      <Button
        icon={icon(Link)}
        onClick={() =>
          void actions.copyLink().then(
            () => setSaid(strings.again.copied),
            () => setSaid(strings.again.notCopied),
          )
        }
      >
        {said}
      </Button>
      <span role="status" className="sr-only">
        {said !== strings.again.link && said}
      </span>
      <Button icon={icon(Copy)} onClick={actions.again}>
        {strings.again.settings}
      </Button>
      <Button icon={icon(RefreshCw)} onClick={actions.variation}>
        {strings.again.variation}
      </Button>
      {!clip.picture && (
        <>
          <Button icon={icon(Image)} onClick={() => actions.useFrame('first')}>
            {strings.again.firstFrame}
          </Button>
          <Button icon={icon(Image)} onClick={() => actions.useFrame(at)}>
            {strings.again.thisFrame}
          </Button>
          <Button icon={icon(Image)} onClick={() => actions.useFrame('last')}>
            {strings.again.lastFrame}
          </Button>
        </>
      )}
      <Button icon={icon(Columns2)} onClick={actions.compare}>
        {strings.again.compare}
      </Button>
    </div>
  );
}
