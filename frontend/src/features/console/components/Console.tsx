/** The console's frame: sections as addresses, so that everything can be linked to. */
import { ArrowLeft } from 'lucide-react';
import { Link, Route, Switch, useRoute } from 'wouter';
import { isOperator, useSession } from '@/api/session';
import { strings } from '@/strings';
import { cx } from '@/ui/classes';
import { JobPage } from './JobPage';
import { JobsPage } from './JobsPage';
import { LettersPage } from './LettersPage';
import { QueuePage } from './QueuePage';
import { SystemPage } from './SystemPage';
import { WorkflowsPage } from './WorkflowsPage';

const words = strings.console;
const SECTIONS = [
  ['/console', words.jobs],
  ['/console/queue', words.queue],
  ['/console/letters', words.letters],
  ['/console/system', words.system],
  ['/console/workflows', words.workflows],
] as const;

export function Console() {
  const session = useSession((s) => s.session);
  const operator = useSession(isOperator);
  return (
    <div className="mx-auto max-w-[110rem] px-4 pb-16 sm:px-6">
      <header className="flex min-h-14 flex-wrap items-center gap-x-4 gap-y-1">
        <Link
          href="/"
          className="inline-flex min-h-9 items-center gap-1.5 rounded-full px-2 text-sm text-muted hover:text-text"
        >
          <ArrowLeft aria-hidden size={15} />
          {strings.header.studio}
        </Link>
        <h1 className="text-base font-semibold">{words.title}</h1>
        <nav className="flex flex-wrap gap-1">
          {operator &&
            SECTIONS.map(([href, name]) => <Section key={href} href={href} name={name} />)}
        </nav>
      </header>
      <main className="mt-2 flex flex-col gap-6">
        {!session && <p className="text-muted">{strings.loading}</p>}
        {session && !operator && <p role="alert">{words.operatorsOnly}</p>}
        {operator && <Pages />}
      </main>
    </div>
  );
}

function Pages() {
  return (
    <Switch>
      <Route path="/console/queue" component={QueuePage} />
      <Route path="/console/letters" component={LettersPage} />
      <Route path="/console/system" component={SystemPage} />
      <Route path="/console/workflows" component={WorkflowsPage} />
      <Route path="/console/jobs/:id">{({ id }) => <JobPage key={id} jobId={id} />}</Route>
      <Route component={JobsPage} />
    </Switch>
  );
}

function Section({ href, name }: { href: string; name: string }) {
  const [here] = useRoute(href);
  return (
    <Link
      href={href}
      aria-current={here ? 'page' : undefined}
      className={cx(
        'inline-flex min-h-9 items-center rounded-full px-3 text-sm',
        here ? 'bg-surface text-text' : 'text-muted hover:bg-hover hover:text-text',
      )}
    >
      {name}
    </Link>
  );
}
