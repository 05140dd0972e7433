/** Which run the player shows. It stands in the address (?run=…), so links and reloads work. */
import { useCallback, useEffect } from 'react';
import { useLocation, useSearch } from 'wouter';
import { refresh, type Run, useRuns } from '@/features/runs';

export function useOpenRun() {
  const search = useSearch();
  const [, navigate] = useLocation();
  const wanted = new URLSearchParams(search).get('run');
  const found = useRuns((s) => s.runs.find((run) => run.jobId === wanted) ?? null);
  const loaded = useRuns((s) => s.loaded);
  useEffect(() => {
    if (wanted && loaded && !found) void refresh(wanted, true);
  }, [wanted, loaded, found]);
  const openRun = useCallback((run: Run) => navigate(`/?run=${run.jobId ?? ''}`), [navigate]);
  const close = useCallback(() => {
    if (window.location.search) navigate('/', { replace: true });
  }, [navigate]);
  return { open: wanted && found?.status === 'completed' ? found : null, openRun, close };
}
