/** Who is signed in, and the way out; nothing where nobody had to sign in. */
import { LogOut, UserRound } from 'lucide-react';
import { signOut, useSession } from '@/api/session';
import { forgetDraft } from '@/features/composer';
import { forgetOrders } from '@/features/runs';
import { strings } from '@/strings';
import { Menu } from '@/ui/Menu';

const words = strings.header;

export function Account() {
  const session = useSession((s) => s.session);
  if (session?.how !== 'session') return null;
  return (
    <Menu
      label={words.account(session.owner)}
      side="below"
      align="end"
      className="grid size-9 shrink-0 place-items-center rounded-full text-muted hover:bg-hover hover:text-text"
      trigger={<UserRound aria-hidden size={18} />}
      items={[
        {
          key: 'out',
          label: words.signOut,
          detail: session.owner,
          icon: <LogOut aria-hidden size={16} />,
          onSelect: () => void leave(),
        },
      ]}
    />
  );
}

/** Whoever signs in next at this machine finds nothing of the one before, on no page of it. */
async function leave() {
  if (!(await signOut())) return;
  forgetDraft();
  forgetOrders();
  window.location.assign('/');
}
