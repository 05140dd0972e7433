/** A modal dialog on the browser's own <dialog>: focus is kept inside and given back after. */
import { X } from 'lucide-react';
import { type ReactNode, useEffect, useId, useRef } from 'react';
import { strings } from '@/strings';
import { IconButton } from './Button';
import { cx } from './classes';

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  wide?: boolean;
  titleHidden?: boolean;
}

export function Dialog({
  title,
  onClose,
  children,
  wide = false,
  titleHidden = false,
}: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();

  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    if (element && !element.open) element.showModal();
    return () => {
      element?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);

  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        if (event.target === dialog.current) onClose();
      }}
      className={cx(
        'appear m-auto max-h-[calc(100dvh-1rem)] overflow-y-auto overscroll-contain rounded-3xl bg-surface p-0 shadow-far',
        wide ? 'w-[min(80rem,calc(100vw-1rem))]' : 'w-[min(34rem,calc(100vw-1rem))]',
      )}
    >
      <div className="relative p-4 sm:p-5">
        <div
          className={cx(
            'flex items-center gap-3',
            titleHidden ? 'absolute top-3 right-3 z-10' : 'mb-3',
          )}
        >
          <h2 id={id} className={cx('grow text-base font-semibold', titleHidden && 'sr-only')}>
            {title}
          </h2>
          <IconButton
            label={strings.close}
            onClick={onClose}
            className={cx('ml-auto', titleHidden && 'bg-surface')}
          >
            <X aria-hidden size={18} />
          </IconButton>
        </div>
        {children}
      </div>
    </dialog>
  );
}

interface SureProps {
  title: string;
  why: string;
  yes: ReactNode;
  no: string;
  onYes: () => void;
  onNo: () => void;
  /** What is chosen with the answer. */
  children?: ReactNode;
}

/** Asks once before something is lost. The harmless answer has the focus. */
export function AskSure({ title, why, yes, no, onYes, onNo, children }: SureProps) {
  return (
    <Dialog title={title} onClose={onNo}>
      <p className="text-muted">{why}</p>
      {children}
      <div className="mt-5 flex flex-wrap justify-end gap-2">
        <button
          type="button"
          autoFocus
          onClick={onNo}
          className="min-h-9 rounded-full bg-well px-4 text-sm hover:bg-hover"
        >
          {no}
        </button>
        <button
          type="button"
          onClick={onYes}
          className="min-h-9 rounded-full bg-danger-wash px-4 text-sm text-danger hover:brightness-110"
        >
          {yes}
        </button>
      </div>
    </Dialog>
  );
}
