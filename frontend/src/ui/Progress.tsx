/** A bar and a ring for how far something is. `value` is 0 to 1, null when not known. */
export function ProgressBar({ value, label }: { value: number | null; label: string }) {
  const percent = value === null ? undefined : Math.round(value * 100);
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      className="h-1 overflow-hidden rounded-full bg-hover"
    >
      <div
        className={value === null ? 'breathing h-full w-full bg-accent' : 'h-full bg-accent'}
        style={{
          transform: `scaleX(${value ?? 1})`,
          transformOrigin: 'left',
          transition: 'transform 400ms var(--ease)',
        }}
      />
    </div>
  );
}

const RADIUS = 9;
const ROUND = 2 * Math.PI * RADIUS;

export function ProgressRing({ value, label }: { value: number | null; label: string }) {
  const shown = value ?? 0.25;
  return (
    <svg
      viewBox="0 0 24 24"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={value === null ? undefined : Math.round(value * 100)}
      className={value === null ? 'spinning size-6' : 'size-6 -rotate-90'}
      fill="none"
      strokeWidth={3}
      strokeLinecap="round"
    >
      <circle cx="12" cy="12" r={RADIUS} className="stroke-hover" />
      <circle
        cx="12"
        cy="12"
        r={RADIUS}
        className="stroke-accent"
        strokeDasharray={`${shown * ROUND} ${ROUND}`}
      />
    </svg>
  );
}
