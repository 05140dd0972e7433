/** One attached thing: what it looks or sounds like, its role, how far it is, or why it is not. */
import { Crop, TriangleAlert, X } from 'lucide-react';
import { strings } from '@/strings';
import { cx } from '@/ui/classes';
import { clock } from '@/ui/format';
import { ProgressRing } from '@/ui/Progress';
import { type Attachment, isUseless } from '../model/attachment';
import { detach } from '../model/attaching';
import { ChipPicture } from './ChipPicture';

interface ChipProps {
  attachment: Attachment;
  /** Kept with the job, but the task does not use it. */
  unused: boolean;
  /** Usable in itself, but refused for this video. */
  wrong: boolean;
  compact: boolean;
  onOpen: () => void;
}

export function Chip({ attachment, unused, wrong, compact, onOpen }: ChipProps) {
  const { key, role, name, state } = attachment;
  const refused = isUseless(attachment) || wrong;
  const detail = unused ? strings.attach.kept : stateOf(attachment);
  const sending = state === 'uploading' || state === 'waiting';
  return (
    <div
      className={cx(
        'appear flex h-11 items-center rounded-2xl transition-colors',
        refused ? 'bg-danger-wash' : 'bg-well',
      )}
    >
      <button
        type="button"
        title={attachment.problem?.sentence ?? name}
        onClick={onOpen}
        className="flex h-full min-w-0 items-center gap-2.5 rounded-2xl pr-1 pl-1 hover:brightness-105"
      >
        <span
          aria-hidden
          className="relative grid size-9 shrink-0 place-items-center overflow-hidden rounded-xl bg-hover"
        >
          {refused ? (
            <TriangleAlert aria-hidden size={18} className="text-danger" />
          ) : (
            <ChipPicture attachment={attachment} />
          )}
          {state !== 'ready' && !refused && (
            <span className="absolute inset-0 grid place-items-center bg-scrim">
              <ProgressRing value={sending ? attachment.sent : null} label={stateOf(attachment)} />
            </span>
          )}
        </span>
        {compact && <span className="sr-only">{strings.roles[role]}</span>}
        {!compact && (
          <span className="max-w-36 min-w-0 text-left leading-tight">
            <span className="block text-sm font-medium">{strings.roles[role]}</span>
            <span
              className={cx(
                'flex items-center gap-1 truncate text-xs',
                refused ? 'text-danger' : 'text-muted',
              )}
            >
              {attachment.crop && <Crop aria-label={strings.crop.cropped} size={11} />}
              <span className="truncate">{detail}</span>
            </span>
          </span>
        )}
        <span className="sr-only">{strings.attach.open(name)}</span>
      </button>
      <button
        type="button"
        aria-label={sending ? strings.attach.stopUpload(name) : strings.attach.removeNamed(name)}
        onClick={() => detach(key)}
        className="mr-1 grid size-7 place-items-center rounded-full text-faint hover:bg-hover hover:text-text"
      >
        <X aria-hidden size={14} />
      </button>
    </div>
  );
}

function stateOf({ state, sent, asset, name }: Attachment): string {
  if (state === 'uploading') return strings.attach.uploading(Math.round(sent * 100));
  if (state === 'waiting') return strings.attach.waiting;
  if (state === 'checking') return strings.attach.checking;
  if (state === 'refused') return strings.attach.refused;
  if (state === 'interrupted') return strings.attach.interrupted;
  if (asset?.duration_seconds) return clock(asset.duration_seconds);
  if (asset?.width && asset.height) return `${asset.width} × ${asset.height}`;
  return name;
}
