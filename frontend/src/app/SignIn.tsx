/** The face of a studio that wants to know who asks. */
import { type SyntheticEvent, useState } from 'react';
import { signIn } from '@/api/session';
import { strings } from '@/strings';
import { Button } from '@/ui/Button';
import { Field, inputLook } from '@/ui/Field';

const words = strings.signIn;

export function SignIn() {
  const [key, setKey] = useState('');
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);

  async function submit(event: SyntheticEvent) {
    event.preventDefault();
    setBusy(true);
    try {
      const refused = await signIn(key.trim());
      if (refused) setProblem(`${refused.detail} ${refused.remedy}`);
    } catch {
      setProblem(`${strings.connection.offline} ${strings.problems.tryAgain}`);
    }
    setBusy(false);
  }

  return (
    <main className="grid min-h-dvh place-items-center p-4">
      <div aria-hidden className="lamplight fixed inset-x-0 bottom-0 -z-10 h-[60vh]" />
      <form
        onSubmit={(event) => void submit(event)}
        className="flex w-full max-w-sm flex-col gap-4 rounded-[28px] bg-surface p-6 shadow-far ring-1 ring-line/60"
      >
        <h1 className="text-2xl font-semibold tracking-tight">{strings.product}</h1>
        <p className="text-sm text-muted">{words.why}</p>
        <Field label={words.key} help={words.help} problem={problem}>
          {({ id, describedBy, invalid }) => (
            <input
              id={id}
              type="password"
              autoComplete="current-password"
              aria-describedby={describedBy}
              aria-invalid={invalid}
              className={inputLook}
              value={key}
              onChange={(event) => setKey(event.target.value)}
            />
          )}
        </Field>
        <Button type="submit" look="primary" disabled={busy || !key.trim()}>
          {words.submit}
        </Button>
      </form>
    </main>
  );
}
