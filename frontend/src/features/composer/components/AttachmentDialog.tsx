/** An attachment large: look, listen, crop (ground truth), change its role, replace, remove. */
import { RotateCcw, Trash2, Upload } from 'lucide-react';
import { useRef } from 'react';
import { strings } from '@/strings';
import { Button } from '@/ui/Button';
import { Choices } from '@/ui/Choices';
import { Dialog } from '@/ui/Dialog';
import { bytes, clock } from '@/ui/format';
import type { Attachment } from '../model/attachment';
import { attachFiles, canSendAgain, detach, send } from '../model/attaching';
import { accepting, type AttachmentRole, rolesOf } from '../model/roles';
import { useComposer } from '../model/store';
import { CropEditor } from './CropEditor';

interface AttachmentDialogProps {
  attachment: Attachment;
  roles: readonly AttachmentRole[];
  onClose: () => void;
}

export function AttachmentDialog({ attachment, roles, onClose }: AttachmentDialogProps) {
  const { key, kind, name, role, state, asset, problem } = attachment;
  const picker = useRef<HTMLInputElement>(null);
  const options = rolesOf(kind).filter((one) => roles.includes(one));
  return (
    <Dialog title={`${strings.roles[role]} · ${name}`} onClose={onClose}>
      <div className="flex flex-col gap-4">
        {problem && (
          <p role="alert" className="rounded-2xl bg-danger-wash px-4 py-3 text-danger">
            {problem.sentence} {problem.remedy}
          </p>
        )}
        <Preview attachment={attachment} />
        <p className="text-sm text-muted">
          {strings.roleHelp[role]} {asset && factsOf(attachment)}
        </p>
        {options.length > 1 && (
          <Choices
            label={strings.attach.useAs}
            value={role}
            options={options.map((value) => ({ value, label: strings.roles[value] }))}
            onChange={(value) => useComposer.getState().reassign(key, value)}
          />
        )}
        <div className="flex flex-wrap gap-2">
          {state === 'refused' && canSendAgain(key) && (
            <Button icon={<RotateCcw aria-hidden size={15} />} onClick={() => void send(key)}>
              {strings.attach.retry}
            </Button>
          )}
          <Button icon={<Upload aria-hidden size={15} />} onClick={() => picker.current?.click()}>
            {strings.attach.replace}
          </Button>
          <Button
            look="danger"
            icon={<Trash2 aria-hidden size={15} />}
            onClick={() => {
              onClose();
              detach(key);
            }}
          >
            {strings.attach.remove}
          </Button>
          <input
            ref={picker}
            type="file"
            hidden
            accept={accepting([kind])}
            onChange={(event) => {
              const file = event.target.files?.[0];
              if (!file) return;
              onClose();
              detach(key);
              attachFiles([file], role);
            }}
          />
        </div>
      </div>
    </Dialog>
  );
}

function Preview({ attachment }: { attachment: Attachment }) {
  const { kind, role, localUrl, asset, state } = attachment;
  const url = localUrl ?? (asset?.status === 'ready' ? asset.storage_url : null);
  if (!url || state === 'refused') return null;
  if (kind === 'audio') return <audio src={url} controls className="w-full" />;
  if (kind === 'video') {
    return (
      <video
        src={url}
        controls
        loop
        muted
        playsInline
        className="max-h-[50vh] w-full rounded-2xl bg-black"
      />
    );
  }
  if (role === 'ground_truth' && asset?.width && asset.height) {
    return (
      <CropEditor
        attachment={attachment}
        url={asset.thumbnail_url && isHeic(asset.mime_type) ? asset.thumbnail_url : url}
        width={asset.width}
        height={asset.height}
      />
    );
  }
  return <img src={url} alt="" className="max-h-[50vh] w-full rounded-2xl object-contain" />;
}

/** Browsers do not show these; the server's picture of them stands in. */
function isHeic(mime: string): boolean {
  return mime === 'image/heic' || mime === 'image/heif';
}

function factsOf({ asset }: Attachment): string {
  if (!asset) return '';
  return [
    asset.width && asset.height ? `${asset.width} × ${asset.height}` : null,
    asset.duration_seconds ? clock(asset.duration_seconds) : null,
    bytes(asset.size_bytes),
  ]
    .filter(Boolean)
    .join(' · ');
}
