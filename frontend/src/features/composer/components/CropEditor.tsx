/** Crops the ground truth by mouse, touch or keyboard. What is outside stays visible, dimmed. */
import { type KeyboardEvent, type PointerEvent, useRef, useState } from 'react';
import type { CropBox } from '@/api/types';
import { strings } from '@/strings';
import { Button } from '@/ui/Button';
import type { Attachment } from '../model/attachment';
import { centred, type Handle, isWhole, moved, RATIOS, resized } from '../model/crop';
import { useComposer } from '../model/store';

const CORNERS: Handle[] = [
  { x: -1, y: -1 },
  { x: 1, y: -1 },
  { x: -1, y: 1 },
  { x: 1, y: 1 },
];
const KEY_STEP = 0.02;

interface CropEditorProps {
  attachment: Attachment;
  url: string;
  width: number;
  height: number;
}

export function CropEditor({ attachment, url, width, height }: CropEditorProps) {
  const size = { width, height };
  const aspect = useComposer((s) => s.settings.aspect);
  const [locked, setLocked] = useState(attachment.crop === null);
  const picture = useRef<HTMLImageElement>(null);
  const drag = useRef<{ x: number; y: number; box: CropBox; handle: Handle | null } | null>(null);
  const box = attachment.crop ?? centred(size, null);
  const ratio = locked ? RATIOS[aspect] : null;

  function set(next: CropBox | null) {
    const crop = next && isWhole(next, size) ? null : next;
    useComposer
      .getState()
      .setAttachments((all) => all.map((a) => (a.key === attachment.key ? { ...a, crop } : a)));
  }

  function hold(event: PointerEvent, handle: Handle | null) {
    event.preventDefault();
    event.stopPropagation();
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = { x: event.clientX, y: event.clientY, box, handle };
  }

  function pull(event: PointerEvent) {
    const held = drag.current;
    const shown = picture.current?.clientWidth;
    if (!held || !shown) return;
    const dx = ((event.clientX - held.x) * width) / shown;
    const dy = ((event.clientY - held.y) * width) / shown;
    set(
      held.handle
        ? resized(held.box, held.handle, dx, dy, size, ratio)
        : moved(held.box, dx, dy, size),
    );
  }

  function onKeys(event: KeyboardEvent) {
    const x = Number(event.key === 'ArrowRight') - Number(event.key === 'ArrowLeft');
    const y = Number(event.key === 'ArrowDown') - Number(event.key === 'ArrowUp');
    if (x === 0 && y === 0) return;
    event.preventDefault();
    const [dx, dy] = [x * width * KEY_STEP, y * height * KEY_STEP];
    const corner: Handle = { x: x === 0 ? 0 : 1, y: y === 0 ? 0 : 1 };
    set(event.shiftKey ? resized(box, corner, dx, dy, size, ratio) : moved(box, dx, dy, size));
  }

  const percent = (part: number, of: number) => `${(100 * part) / of}%`;
  const place = {
    left: percent(box.x_px, width),
    top: percent(box.y_px, height),
    width: percent(box.width_px, width),
    height: percent(box.height_px, height),
  };
  return (
    <div className="flex flex-col gap-3">
      <div className="relative mx-auto w-fit touch-none p-1.5 select-none">
        <div className="relative overflow-hidden rounded-sm">
          <img ref={picture} src={url} alt="" draggable={false} className="block max-h-[46vh]" />
          <div
            aria-hidden
            className="pointer-events-none absolute shadow-[0_0_0_200vmax_rgb(0_0_0/0.6)]"
            style={place}
          />
        </div>
        <div className="absolute inset-1.5">
          <div
            role="group"
            tabIndex={0}
            aria-label={`${strings.crop.frame}. ${strings.crop.help}`}
            onPointerDown={(event) => hold(event, null)}
            onPointerMove={pull}
            onPointerUp={() => (drag.current = null)}
            onKeyDown={onKeys}
            className="absolute cursor-move ring-2 ring-white"
            style={place}
          >
            {CORNERS.map((corner) => (
              <span
                key={`${corner.x}${corner.y}`}
                onPointerDown={(event) => hold(event, corner)}
                onPointerMove={pull}
                onPointerUp={() => (drag.current = null)}
                className="absolute size-7 -translate-1/2 p-2"
                style={{
                  left: corner.x < 0 ? 0 : '100%',
                  top: corner.y < 0 ? 0 : '100%',
                  cursor: corner.x === corner.y ? 'nwse-resize' : 'nesw-resize',
                }}
              >
                <span className="block size-full rounded-full bg-white shadow-near" />
              </span>
            ))}
          </div>
        </div>
      </div>
      <div className="flex flex-wrap gap-2">
        <Button
          aria-pressed={locked}
          onClick={() => {
            setLocked(true);
            set(centred(size, RATIOS[aspect]));
          }}
        >
          {strings.crop.matchAspect(aspect)}
        </Button>
        <Button aria-pressed={!locked} onClick={() => setLocked(false)}>
          {strings.crop.free}
        </Button>
        <Button
          disabled={attachment.crop === null}
          className="disabled:text-faint"
          onClick={() => set(null)}
        >
          {strings.crop.whole}
        </Button>
      </div>
    </div>
  );
}
