/** A few choices side by side, of which one holds: real radio buttons underneath. */
import { useId } from 'react';
import { cx } from './classes';

interface ChoicesProps<T extends string> {
  label: string;
  value: T;
  options: { value: T; label: string; disabled?: boolean }[];
  onChange: (value: T) => void;
}

export function Choices<T extends string>({ label, value, options, onChange }: ChoicesProps<T>) {
  const name = useId();
  return (
    <fieldset>
      <legend className="mb-1.5 text-sm font-medium">{label}</legend>
      <div className="inline-flex max-w-full flex-wrap gap-1 rounded-xl bg-well p-1">
        {options.map((option) => (
          <label
            key={option.value}
            className={cx(
              'rounded-lg px-3 py-1.5 text-sm transition-colors has-focus-visible:outline-2 has-focus-visible:outline-focus',
              option.value === value ? 'bg-raised text-text shadow-near' : 'text-muted',
              option.disabled ? 'text-faint' : 'cursor-pointer hover:text-text',
            )}
          >
            <input
              type="radio"
              name={name}
              className="sr-only"
              checked={option.value === value}
              disabled={option.disabled}
              onChange={() => onChange(option.value)}
            />
            {option.label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
