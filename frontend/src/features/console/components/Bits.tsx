/** Small pieces of the console: ids with copy, times in both forms, states, folded JSON. */
import { Check, Copy } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import type { PublicState } from '@/api/types';
import { strings } from '@/strings';
import { cx } from '@/ui/classes';
import { ago, exact } from '@/ui/format';

export function Id({ id, to, what }: { id: string; to?: string; what: string }) {
  const [copied, setCopied] = useState(false);
  const label = copied ? strings.console.copied(what) : strings.console.copy(what);
  return (
    <span className="inline-flex items-center gap-1 font-mono text-xs whitespace-nowrap">
      {to ? (
        <Link href={to} className="text-accent-text underline-offset-2 hover:underline" title={id}>
          {short(id)}
        </Link>
      ) : (
        <span title={id}>{short(id)}</span>
      )}
      <button
        type="button"
        aria-label={label}
        title={label}
        onClick={() => void copy(id).then(setCopied)}
        onBlur={() => setCopied(false)}
        className="grid size-6 place-items-center rounded text-faint hover:bg-hover hover:text-text"
      >
        {copied ? <Check aria-hidden size={12} /> : <Copy aria-hidden size={12} />}
      </button>
    </span>
  );
}

/** Whether it is on the clipboard now: a page may be refused it. */
function copy(id: string): Promise<boolean> {
  return navigator.clipboard.writeText(id).then(
    () => true,
    () => false,
  );
}

/** The end tells ids apart: their beginning is a time. */
function short(id: string): string {
  return id.length > 20 ? `…${id.slice(-12)}` : id;
}

/** Relative, with the exact time on pointing; `full` says both where there is room. */
export function When({ at, full = false }: { at: string; full?: boolean }) {
  return (
    <time dateTime={at} title={exact(at)} className="whitespace-nowrap">
      {ago(at)}
      {full && <span className="text-muted"> · {exact(at)}</span>}
    </time>
  );
}

const TONES: Partial<Record<PublicState, string>> = {
  completed: 'text-good',
  failed: 'text-danger',
  cancelled: 'text-muted',
  executing: 'text-accent-text',
  collecting_outputs: 'text-accent-text',
};

export function State({ status }: { status: PublicState }) {
  return <span className={cx('font-medium whitespace-nowrap', TONES[status])}>{status}</span>;
}

interface JsonProps {
  label: string;
  value: unknown;
  open?: boolean;
}

export function Json({ label, value, open = false }: JsonProps) {
  return (
    <details open={open} className="rounded-xl bg-well px-3 py-2 text-[0.8125rem]">
      <summary className="text-muted hover:text-text">{label}</summary>
      <pre
        tabIndex={0}
        aria-label={label}
        className="mt-2 max-h-96 overflow-auto font-mono text-xs leading-relaxed whitespace-pre-wrap"
      >
        {JSON.stringify(value, null, 2)}
      </pre>
    </details>
  );
}

export function Trouble({ sentence }: { sentence: string | null }) {
  if (!sentence) return null;
  return (
    <p role="alert" className="rounded-2xl bg-danger-wash px-4 py-2.5 text-sm text-danger">
      {sentence}
    </p>
  );
}

export function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex flex-col gap-2">
      <h2 className="text-sm font-semibold">{title}</h2>
      {children}
    </section>
  );
}
