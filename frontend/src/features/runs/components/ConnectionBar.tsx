/** A quiet bar while the live connection is lost, and for a moment when it is back. */
import { Check, WifiOff } from 'lucide-react';
import { useEffect, useState } from 'react';
import { strings } from '@/strings';
import { Notice } from '@/ui/Notice';
import { useRuns } from '../model/store';

const SAY_AFTER_MS = 800;
const BACK_SHOWN_MS = 2500;

export function ConnectionBar() {
  const lost = useRuns((s) => s.phase === 'lost');
  const [shown, setShown] = useState<'no' | 'lost' | 'back'>('no');
  useEffect(() => {
    const timer = lost
      ? setTimeout(() => setShown('lost'), SAY_AFTER_MS)
      : setTimeout(() => setShown((was) => (was === 'lost' ? 'back' : was)), 0);
    return () => clearTimeout(timer);
  }, [lost]);
  useEffect(() => {
    if (shown !== 'back') return;
    const timer = setTimeout(() => setShown('no'), BACK_SHOWN_MS);
    return () => clearTimeout(timer);
  }, [shown]);
  if (shown === 'no') return null;
  const back = shown === 'back';
  return (
    <Notice icon={back ? <Check aria-hidden size={16} /> : <WifiOff aria-hidden size={16} />}>
      {back ? strings.connection.back : strings.connection.lost}
    </Notice>
  );
}
