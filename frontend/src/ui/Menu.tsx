/**
 * A button that opens a menu: arrow keys, Home, End, Escape, typing a first letter. Items are
 * choices (with `checked`) or actions. Must not know what is chosen for.
 */
import { Check } from 'lucide-react';
import {
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
} from 'react';
import { cx } from './classes';

export interface MenuItem {
  key: string;
  label: string;
  detail?: string | undefined;
  icon?: ReactNode;
  checked?: boolean;
  disabled?: boolean;
  danger?: boolean;
  onSelect: () => void;
}

interface MenuProps {
  label: string;
  trigger: ReactNode;
  items: MenuItem[];
  align?: 'start' | 'end';
  side?: 'above' | 'below';
  className?: string;
  disabled?: boolean;
}

export function Menu(props: MenuProps) {
  const { label, trigger, items, align = 'start', side = 'above', className, disabled } = props;
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();

  useLayoutEffect(() => {
    if (open && button.current && list.current) place(list.current, button.current, side, align);
  }, [open, side, align]);

  useEffect(() => {
    if (!open) return;
    const away = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    const follow = () => {
      if (button.current && list.current) place(list.current, button.current, side, align);
    };
    document.addEventListener('pointerdown', away);
    // It stands in the window: when the page moves under it, it goes along with its button.
    window.addEventListener('resize', follow);
    window.addEventListener('scroll', follow);
    const choices = choicesIn(list.current);
    (choices.find((c) => c.getAttribute('aria-checked') === 'true') ?? choices[0])?.focus();
    return () => {
      document.removeEventListener('pointerdown', away);
      window.removeEventListener('resize', follow);
      window.removeEventListener('scroll', follow);
    };
  }, [open, side, align]);

  function close() {
    setOpen(false);
    button.current?.focus();
  }

  function onKeys(event: KeyboardEvent) {
    const target = nextChoice(event.key, choicesIn(list.current));
    if (target) {
      event.preventDefault();
      target.focus();
    } else if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (event.key === 'Tab') {
      setOpen(false);
    }
  }

  return (
    <div ref={root} className="relative">
      <button
        ref={button}
        type="button"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={label}
        title={label}
        disabled={disabled}
        className={className}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
          event.preventDefault();
          setOpen(true);
        }}
      >
        {trigger}
      </button>
      {open && (
        <div
          ref={list}
          id={id}
          role="menu"
          tabIndex={-1}
          aria-label={label}
          onKeyDown={onKeys}
          className="appear fixed z-40 w-max max-w-[min(26rem,calc(100vw-2rem))] min-w-44 overflow-y-auto rounded-2xl bg-raised p-1.5 text-text shadow-far ring-1 ring-line"
        >
          {items.map((item) => (
            <Choice key={item.key} item={item} done={close} />
          ))}
        </div>
      )}
    </div>
  );
}

function Choice({ item, done }: { item: MenuItem; done: () => void }) {
  const isChoice = item.checked !== undefined;
  return (
    <button
      type="button"
      role={isChoice ? 'menuitemradio' : 'menuitem'}
      aria-checked={isChoice ? item.checked : undefined}
      aria-disabled={item.disabled || undefined}
      tabIndex={-1}
      onClick={() => {
        if (item.disabled) return;
        done();
        item.onSelect();
      }}
      className={cx(
        'flex w-full items-center gap-3 rounded-xl px-3 py-2 text-left text-sm focus-visible:bg-hover focus-visible:outline-none',
        item.disabled ? 'cursor-default text-faint' : 'hover:bg-hover',
        item.danger && 'text-danger',
      )}
    >
      {item.icon && <span className="shrink-0">{item.icon}</span>}
      <span className="min-w-0 grow">
        <span className="block font-medium">{item.label}</span>
        {item.detail && (
          <span
            className={cx('block text-[0.8125rem]', item.disabled ? 'text-faint' : 'text-muted')}
          >
            {item.detail}
          </span>
        )}
      </span>
      {item.checked && <Check aria-hidden size={16} className="shrink-0 text-accent-text" />}
    </button>
  );
}

const GAP_PX = 8;
const TALLEST_PX = 480;

/** Puts the list beside its button, on the side with room, and wholly within the window. */
function place(list: HTMLElement, button: HTMLElement, side: string, align: string): void {
  const at = button.getBoundingClientRect();
  const { clientWidth, clientHeight } = document.documentElement;
  const above = at.top - 2 * GAP_PX;
  const below = clientHeight - at.bottom - 2 * GAP_PX;
  const wanted = Math.min(list.scrollHeight, TALLEST_PX);
  const room = side === 'above' ? above : below;
  const flips = wanted > room && Math.max(above, below) > room;
  const up = (side === 'above') !== flips;
  const left = align === 'end' ? at.right - list.offsetWidth : at.left;
  const farthest = clientWidth - list.offsetWidth - GAP_PX;
  list.style.maxHeight = `${Math.min(TALLEST_PX, up ? above : below)}px`;
  list.style.left = `${Math.max(GAP_PX, Math.min(left, farthest))}px`;
  list.style.top = up ? 'auto' : `${at.bottom + GAP_PX}px`;
  list.style.bottom = up ? `${clientHeight - at.top + GAP_PX}px` : 'auto';
}

function choicesIn(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.querySelectorAll<HTMLElement>('[role^=menuitem]') ?? [])];
}

function nextChoice(key: string, choices: HTMLElement[]): HTMLElement | undefined {
  const at = choices.indexOf(document.activeElement as HTMLElement);
  const count = choices.length;
  if (key === 'ArrowDown') return choices[(at + 1) % count];
  if (key === 'ArrowUp') return choices[(at - 1 + count) % count];
  if (key === 'Home') return choices[0];
  if (key === 'End') return choices[count - 1];
  if (key.length !== 1 || key === ' ') return undefined;
  const wanted = key.toLowerCase();
  const rotated = [...choices.slice(at + 1), ...choices.slice(0, at + 1)];
  return rotated.find((c) => c.textContent.trim().toLowerCase().startsWith(wanted));
}
