/** The small picture of an attachment: the image, the playing video, or the wave of the sound. */
import { useState } from 'react';
import { useReducedMotion } from '@/ui/useMedia';
import type { Attachment } from '../model/attachment';
import { fileOf } from '../model/attaching';
import { ROLE_ICONS } from './AddMenu';
import { Waveform } from './Waveform';

export function ChipPicture({ attachment }: { attachment: Attachment }) {
  const { kind, localUrl, asset, role } = attachment;
  const still = useReducedMotion();
  const [unplayable, setUnplayable] = useState(false);
  const look = 'size-full object-cover';
  if (kind === 'audio') {
    return <Waveform file={fileOf(attachment.key)} thumbnail={asset?.thumbnail_url ?? null} />;
  }
  const video = localUrl ?? (asset?.status === 'ready' ? asset.storage_url : null);
  if (kind === 'video' && video && !unplayable) {
    return (
      <video
        src={video}
        poster={asset?.thumbnail_url ?? undefined}
        muted
        loop
        playsInline
        autoPlay={!still}
        preload="metadata"
        onError={() => setUnplayable(true)}
        className={look}
      />
    );
  }
  const url = asset?.thumbnail_url ?? (kind === 'image' && !unplayable ? localUrl : null);
  if (url) return <img src={url} alt="" onError={() => setUnplayable(true)} className={look} />;
  const Icon = ROLE_ICONS[role];
  return <Icon aria-hidden size={18} className="text-faint" />;
}
