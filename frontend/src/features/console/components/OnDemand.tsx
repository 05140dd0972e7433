/** A long thing that is fetched only when somebody wants to see it. */
import { useState } from 'react';
import { useAsked } from '../model/useAsked';
import { Json, Trouble } from './Bits';

interface OnDemandProps {
  label: string;
  /** Names what is asked for. */
  name: string;
  ask: () => Promise<unknown>;
}

export function OnDemand({ label, name, ask }: OnDemandProps) {
  const [wanted, setWanted] = useState(false);
  const asked = useAsked(wanted ? name : '', () => (wanted ? ask() : Promise.resolve(null)));
  if (asked.answer !== null) return <Json open label={label} value={asked.answer} />;
  return (
    <>
      <button
        type="button"
        onClick={() => setWanted(true)}
        className="min-h-6 text-[0.8125rem] text-accent-text hover:underline"
      >
        {label}
      </button>
      <Trouble sentence={asked.trouble} />
    </>
  );
}
