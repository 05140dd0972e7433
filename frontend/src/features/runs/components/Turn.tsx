/** Holds a place until it is the turn of what stands in it. */
import { type ReactNode, useEffect, useState } from 'react';
import { flushSync } from 'react-dom';
import { inTurn } from '../model/turns';

interface TurnProps {
  /** Pixels of the place that are shown as such meanwhile. */
  height: number;
  children: () => ReactNode;
}

export function Turn({ height, children }: TurnProps) {
  const [here, setHere] = useState(false);
  // Rendered within its turn, so that the time it takes counts.
  useEffect(() => inTurn(() => flushSync(() => setHere(true))), []);
  return here ? children() : <div className="rounded-2xl bg-well" style={{ height }} />;
}
