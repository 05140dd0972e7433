import { describe, expect, it } from 'vitest';
import { runOf } from '@/features/runs/model/run';
import { firstPlace, interval, stateOf } from '@/features/runs/model/words';
import { job } from './samples';

describe('how long it will take', () => {
  it.each([
    [10, 40, 'less than a minute'],
    [50, 60, 'about 1 minute'],
    [130, 170, '2 to 3 minutes'],
    [30, 600, '1 to 10 minutes'],
  ])('is said for %i to %i seconds', (low, high, said) => {
    expect(interval(low, high)).toBe(said);
  });

  it('stands beside the place in the queue, and not where nobody knows', () => {
    const known = runOf(job({ queue: { position: 3, eta_low_s: 130, eta_high_s: 290 } }));
    expect(stateOf(known)).toBe('Waiting: 2 ahead of you, 2 to 5 minutes');
    expect(stateOf(runOf(job({ queue: { position: 3 } })))).toBe('Waiting: 2 ahead of you');
    const runs = [4, 2, 3].map((position) => runOf(job({ queue: { position } })));
    expect(firstPlace(runs)).toBe('1 ahead of you');
    expect(firstPlace([])).toBe('');
    const first = { position: 1, eta_low_s: 10, eta_high_s: 40 };
    expect(stateOf(runOf(job({ queue: first })))).toBe('Waiting: you are next, less than a minute');
  });
});
