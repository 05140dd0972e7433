/** The pages: the studio; the console and shared videos, each loaded only when opened. */
import { lazy, Suspense, useEffect } from 'react';
import { Route, Switch, useRoute } from 'wouter';
import { findSession, useSession } from '@/api/session';
import { strings } from '@/strings';
import { SignIn } from './SignIn';
import { Studio } from './Studio';

const Console = lazy(() =>
  import('@/features/console').then((module) => ({ default: module.Console })),
);
const Shared = lazy(() =>
  import('@/features/shared').then((module) => ({ default: module.Shared })),
);

export function App() {
  const [shares, link] = useRoute('/shared/:token');
  if (shares) {
    return (
      <Suspense>
        <Shared token={link.token} />
      </Suspense>
    );
  }
  return <ForUsers />;
}

function ForUsers() {
  const asked = useSession((s) => s.asked);
  useEffect(() => void findSession(), []);
  if (asked) return <SignIn />;
  return (
    <Switch>
      <Route path="/console/*?">
        <Suspense fallback={<p className="p-6 text-muted">{strings.loading}</p>}>
          <Console />
        </Suspense>
      </Route>
      <Route>
        <Studio />
      </Route>
    </Switch>
  );
}
