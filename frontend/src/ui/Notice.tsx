/** A line that says something and, where there is one, offers the next step. */
import type { ReactNode } from 'react';
import { cx } from './classes';

interface NoticeProps {
  tone?: 'plain' | 'danger';
  icon?: ReactNode;
  action?: ReactNode;
  children: ReactNode;
  alert?: boolean;
}

export function Notice({ tone = 'plain', icon, action, children, alert = false }: NoticeProps) {
  return (
    <div
      role={alert ? 'alert' : 'status'}
      className={cx(
        'appear flex items-center gap-3 rounded-2xl px-4 py-2.5 text-sm shadow-near',
        tone === 'danger' ? 'bg-danger-wash text-danger' : 'bg-raised text-text',
      )}
    >
      {icon && <span className="shrink-0">{icon}</span>}
      <div className="min-w-0 grow">{children}</div>
      {action}
    </div>
  );
}
