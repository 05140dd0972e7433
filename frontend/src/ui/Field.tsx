/** A labelled setting with its help and, beside it, what is wrong with it. */
import { type ReactNode, useId } from 'react';

interface FieldProps {
  label: string;
  help?: string | undefined;
  problem?: string | undefined;
  children: (ids: { id: string; describedBy: string; invalid: boolean }) => ReactNode;
}

export function Field({ label, help, problem, children }: FieldProps) {
  const id = useId();
  const describedBy = `${id}-about`;
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {children({ id, describedBy, invalid: problem !== undefined })}
      <p id={describedBy} className="min-h-4 text-[0.8125rem] text-muted">
        {problem ? <Problem sentence={problem} /> : help}
      </p>
    </div>
  );
}

export function Problem({ sentence }: { sentence: string }) {
  return <span className="text-danger">{sentence}</span>;
}

export const inputLook =
  'min-h-9 w-full rounded-xl bg-well px-3 text-base sm:text-sm placeholder:text-faint aria-invalid:outline-2 aria-invalid:outline-danger';
