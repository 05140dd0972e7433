/** The studio's buttons: one shape, four weights. */
import type { ButtonHTMLAttributes, ReactNode, Ref } from 'react';
import { cx } from './classes';

type Look = 'primary' | 'soft' | 'quiet' | 'danger';

const LOOKS: Record<Look, string> = {
  primary:
    'bg-accent text-on-accent font-semibold hover:bg-accent-hover disabled:bg-hover disabled:text-faint',
  soft: 'bg-well text-text hover:bg-hover aria-pressed:bg-hover',
  quiet: 'text-muted hover:bg-hover hover:text-text',
  danger: 'bg-danger-wash text-danger hover:brightness-110',
};

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  icon?: ReactNode;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({ look = 'soft', icon, className, children, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      className={cx(
        'inline-flex min-h-9 items-center justify-center gap-2 rounded-full px-3.5 text-sm whitespace-nowrap transition-colors select-none',
        LOOKS[look],
        className,
      )}
      {...rest}
    >
      {icon}
      {children}
    </button>
  );
}

interface IconButtonProps extends Omit<ButtonProps, 'children' | 'icon'> {
  label: string;
  children: ReactNode;
}

/** A round button with an icon only; its label is read out and shown on hover. */
export function IconButton({
  label,
  look = 'quiet',
  className,
  children,
  ...rest
}: IconButtonProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={cx(
        'grid size-9 shrink-0 place-items-center rounded-full transition-colors',
        LOOKS[look],
        className,
      )}
      {...rest}
    >
      {children}
    </button>
  );
}
