/** The studio: gallery above, the composer on its desk below, the player over both. */
import { Sparkles } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useCapabilities } from '@/api/capabilities';
import { isSignedOut, OfflineError } from '@/api/http';
import {
  Composer,
  DropZone,
  keepDraft,
  prepareUploads,
  type RequestBody,
  restoreDraft,
  useComposer,
} from '@/features/composer';
import {
  BusyNotice,
  ConnectionBar,
  FACES,
  FilterMenu,
  Gallery,
  isNarrowed,
  listen,
  loadFirst,
  order,
  resendAll,
  SearchField,
  useRuns,
} from '@/features/runs';
import { SampleDialog, Samples } from '@/features/samples';
import { strings } from '@/strings';
import { Button } from '@/ui/Button';
import { Notice } from '@/ui/Notice';
import { ClipDialogs } from './ClipDialogs';
import { Header } from './Header';
import { useSampleLoader } from './useSampleLoader';
import { useStudioActions } from './useStudioActions';

const CAPABILITIES_EVERY_MS = 15_000;
const AT_REST_AFTER_MS = 2000;

export function Studio() {
  useLife();
  const studio = useStudioActions();
  const loadSample = useSampleLoader();
  const empty = useRuns((s) => s.loaded && s.runs.length === 0 && !isNarrowed(s.filter));
  const hasRuns = useRuns((s) => s.some || s.runs.length > 0 || isNarrowed(s.filter)) && !empty;
  const [dock, setDock] = useState<HTMLDivElement | null>(null);
  const room = useHeight(dock);
  const [samples, setSamples] = useState(false);

  return (
    <>
      <Header>{hasRuns && <FilterMenu />}</Header>
      <main className="px-4 pt-1 sm:px-6" style={{ paddingBottom: room + 24 }}>
        {/* Its room is kept while nobody knows whether there are runs: nothing jumps then. */}
        {hasRuns ? (
          <div className="mb-3 flex items-center gap-2">
            <SearchField />
            <Button
              look="quiet"
              icon={<Sparkles aria-hidden size={15} />}
              onClick={() => setSamples(true)}
            >
              {strings.empty.menu}
            </Button>
          </div>
        ) : (
          !empty && <div aria-hidden className="h-12" />
        )}
        {empty ? <Samples onLoad={loadSample} /> : <Gallery actions={studio.cardActions} />}
      </main>
      <div className="pointer-events-none fixed inset-x-0 bottom-0 z-30">
        <div aria-hidden className="lamplight absolute inset-x-0 -top-24 bottom-0 -z-10" />
        <div ref={setDock} className="pointer-events-auto mx-auto max-w-4xl sm:px-4 sm:pb-5">
          <div className="flex flex-col gap-2 px-3 pb-2 empty:hidden sm:px-0">
            <ConnectionBar />
            <BusyNotice />
            {studio.comparing && (
              <Notice action={<Button onClick={studio.stopComparing}>{strings.cancel}</Button>}>
                {strings.again.comparing}
              </Notice>
            )}
            {studio.trouble && (
              <Notice
                alert
                tone="danger"
                action={<Button onClick={studio.dismiss}>{strings.close}</Button>}
              >
                {studio.trouble}
              </Notice>
            )}
          </div>
          <Composer onGenerate={generate} />
        </div>
      </div>
      <DropZone />
      <ClipDialogs studio={studio} />
      {samples && <SampleDialog onLoad={loadSample} onClose={() => setSamples(false)} />}
    </>
  );
}

function generate(body: RequestBody) {
  const { attachments } = useComposer.getState();
  const [face] = FACES.flatMap((role) => attachments.filter((a) => a.role === role));
  return order(body, face?.asset?.thumbnail_url ?? face?.localUrl ?? null);
}

/** Everything that lives as long as the page: draft, list, live connection, capabilities. */
function useLife() {
  useEffect(() => {
    const refreshCapabilities = () => {
      useCapabilities
        .getState()
        .refresh()
        .catch((thrown: unknown) => {
          // A lost connection is shown by the list, and a missing sign-in by its own face.
          if (thrown instanceof OfflineError || isSignedOut(thrown)) return;
          throw thrown;
        });
    };
    restoreDraft();
    refreshCapabilities();
    void loadFirst({});
    resendAll();
    const stopKeeping = keepDraft();
    const stopListening = listen();
    const timer = setInterval(refreshCapabilities, CAPABILITIES_EVERY_MS);
    const atRest = setTimeout(prepareUploads, AT_REST_AFTER_MS);
    return () => {
      stopKeeping();
      stopListening();
      clearInterval(timer);
      clearTimeout(atRest);
    };
  }, []);
}

function useHeight(element: HTMLElement | null): number {
  const [height, setHeight] = useState(0);
  useEffect(() => {
    if (!element) return;
    const observer = new ResizeObserver(() => setHeight(element.offsetHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);
  return height;
}
