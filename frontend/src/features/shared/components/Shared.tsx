/** One shared video, for whoever has the link: to see and to save, and nothing of how it was made. */
import { Download, FlaskConical } from 'lucide-react';
import { useEffect, useState } from 'react';
import { sentenceOf } from '@/api/http';
import type { SharedView } from '@/api/types';
import { strings } from '@/strings';
import { clock } from '@/ui/format';
import { getShared } from '../api/shared';

const LOOK = 'mx-auto max-h-[75dvh] max-w-full rounded-2xl bg-black object-contain';

export function Shared({ token }: { token: string }) {
  const [shown, setShown] = useState<SharedView | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  useEffect(() => {
    getShared(token).then(setShown, (thrown: unknown) => {
      const { sentence, remedy } = sentenceOf(thrown);
      setTrouble(`${sentence} ${remedy}`);
    });
  }, [token]);
  return (
    <main className="mx-auto grid min-h-dvh max-w-4xl content-center gap-4 p-4">
      <h1 className="text-lg font-semibold tracking-tight">{strings.product}</h1>
      {trouble && (
        <p role="alert" className="rounded-2xl bg-well px-4 py-3">
          {trouble}
        </p>
      )}
      {!shown && !trouble && <p className="text-muted">{strings.loading}</p>}
      {shown && <Video shown={shown} />}
    </main>
  );
}

function Video({ shown }: { shown: SharedView }) {
  const poster = shown.files.find((file) => file.name.startsWith('poster.'));
  const video =
    shown.files.find((file) => file.media_type.startsWith('video/') && isMain(file.name)) ??
    shown.files.find((file) => isMain(file.name));
  if (!video) return null;
  const size = { width: shown.width, height: shown.height };
  return (
    <>
      {video.media_type.startsWith('video/') ? (
        <video
          src={video.url}
          poster={poster?.url}
          controls
          loop
          playsInline
          aria-label={strings.shared.label}
          {...size}
          className={LOOK}
        />
      ) : (
        <img src={video.url} alt={strings.shared.label} {...size} className={LOOK} />
      )}
      {shown.simulated && (
        <p className="flex items-start gap-2 text-sm">
          <FlaskConical aria-hidden size={16} className="mt-0.5 shrink-0" />
          {strings.player.simulated}
        </p>
      )}
      <p className="flex flex-wrap items-center gap-x-4 gap-y-2 text-sm text-muted">
        <a
          href={`${video.url}?download=true`}
          download
          className="inline-flex min-h-9 items-center gap-2 rounded-full bg-accent px-3.5 font-semibold text-on-accent hover:bg-accent-hover"
        >
          <Download aria-hidden size={16} />
          {strings.again.download}
        </a>
        {shown.width} × {shown.height} · {clock(shown.duration_seconds)} ·{' '}
        {strings.shared.until(new Date(shown.expires_at).toLocaleDateString('en-GB'))}
      </p>
    </>
  );
}

/** Beside the video there may be one of the poses. */
const isMain = (name: string) => name.startsWith('video.');
