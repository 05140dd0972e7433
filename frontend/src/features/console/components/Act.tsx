/** A button that changes something: it says what it will do before it does it, and what came of it. */
import { type ReactNode, useState } from 'react';
import { sentenceOf } from '@/api/http';
import { strings } from '@/strings';
import { Button } from '@/ui/Button';
import { AskSure } from '@/ui/Dialog';
import { Trouble } from './Bits';

interface ActProps<T> {
  label: string;
  what: string;
  icon?: ReactNode;
  act: () => Promise<T>;
  done: (answer: T) => void;
  /** What is chosen before it is done. */
  children?: ReactNode;
}

export function Act<T>({ label, what, icon, act, done, children }: ActProps<T>) {
  const [asking, setAsking] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);

  function perform() {
    setAsking(false);
    act().then(
      (answer) => {
        setTrouble(null);
        done(answer);
      },
      (thrown: unknown) => {
        const { sentence, remedy } = sentenceOf(thrown);
        setTrouble(`${sentence} ${remedy}`);
      },
    );
  }

  return (
    <span className="inline-flex flex-col items-start gap-1">
      <Button icon={icon} onClick={() => setAsking(true)}>
        {label}
      </Button>
      <Trouble sentence={trouble} />
      {asking && (
        <AskSure
          title={label}
          why={what}
          yes={strings.console.confirm}
          no={strings.close}
          onYes={perform}
          onNo={() => setAsking(false)}
        >
          {children}
        </AskSure>
      )}
    </span>
  );
}
