/** The top line: where one is, whether the engine is real, what is going on, the theme. */
import { FlaskConical, Monitor, Moon, SquareTerminal, Sun } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { useCapabilities } from '@/api/capabilities';
import { isOperator, useSession } from '@/api/session';
import { firstPlace, isRunning, useRuns } from '@/features/runs';
import { strings } from '@/strings';
import { IconButton } from '@/ui/Button';
import { Account } from './Account';
import { type Theme, useTheme } from './theme';

const ICONS: Record<Theme, typeof Sun> = { system: Monitor, light: Sun, dark: Moon };

export function Header({ children }: { children?: ReactNode }) {
  const simulated = useCapabilities((s) => s.capabilities?.simulated ?? false);
  const operator = useSession(isOperator);
  const { theme, cycle } = useTheme();
  const Icon = ICONS[theme];
  return (
    <header className="flex h-14 items-center gap-2 px-3 sm:gap-3 sm:px-6">
      <a
        href="#composer"
        className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:rounded-full focus:bg-raised focus:px-4 focus:py-2"
      >
        {strings.skip}
      </a>
      <span className="text-lg font-semibold tracking-tight">{strings.product}</span>
      {simulated && (
        <span
          title={strings.header.simulatedWhy}
          className="flex shrink-0 items-center gap-1.5 rounded-full bg-accent-wash px-2.5 py-1 text-xs font-medium text-accent-text"
        >
          <FlaskConical aria-hidden size={13} />
          <span className="max-[399px]:sr-only sm:hidden">{strings.runs.simulated}</span>
          <span className="hidden sm:inline">{strings.header.simulated}</span>
        </span>
      )}
      <Working />
      <div className="ml-auto flex items-center sm:gap-1">
        {children}
        {operator && (
          <Link
            href="/console"
            aria-label={strings.header.console}
            title={strings.header.console}
            className="grid size-9 shrink-0 place-items-center rounded-full text-muted hover:bg-hover hover:text-text"
          >
            <SquareTerminal aria-hidden size={18} />
          </Link>
        )}
        <IconButton label={strings.header.theme[theme]} onClick={cycle}>
          <Icon aria-hidden size={18} />
        </IconButton>
        <Account />
      </div>
    </header>
  );
}

function Working() {
  const running = useRuns((s) => s.runs.filter(isRunning).length);
  const waiting = useRuns(
    (s) => s.runs.filter((r) => ['accepted', 'uploaded', 'queued'].includes(r.status)).length,
  );
  const place = useRuns((s) => firstPlace(s.runs));
  return (
    <span role="status" className="hidden truncate text-[0.8125rem] text-muted sm:block">
      {strings.header.working(running, waiting, place)}
    </span>
  );
}
