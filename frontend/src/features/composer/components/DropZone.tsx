/** Files dropped or pasted anywhere on the page are attached. */
import { Upload } from 'lucide-react';
import { useEffect, useState } from 'react';
import { strings } from '@/strings';
import { attachFiles } from '../model/attaching';

export function DropZone() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    let depth = 0;
    const carriesFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const listen = (
      name: 'dragenter' | 'dragover' | 'dragleave' | 'drop',
      act: (event: DragEvent) => void,
    ) => {
      window.addEventListener(
        name,
        (event) => {
          if (!carriesFiles(event)) return;
          event.preventDefault();
          act(event);
        },
        { signal },
      );
    };
    listen('dragenter', () => setOver(++depth > 0));
    listen('dragleave', () => setOver(--depth > 0));
    listen('dragover', () => undefined);
    listen('drop', (event) => {
      depth = 0;
      setOver(false);
      attachFiles(event.dataTransfer?.files ?? []);
    });
    window.addEventListener(
      'paste',
      (event) => {
        const files = event.clipboardData?.files;
        if (!files?.length) return;
        event.preventDefault();
        attachFiles(files);
      },
      { signal },
    );
    return () => stop.abort();
  }, []);
  if (!over) return null;
  return (
    <div className="pointer-events-none fixed inset-0 z-50 grid place-items-center bg-scrim p-6">
      <div className="appear flex flex-col items-center gap-2 rounded-3xl bg-surface px-10 py-8 shadow-far">
        <Upload aria-hidden size={28} className="text-accent-text" />
        <p className="text-lg font-semibold">{strings.attach.drop}</p>
        <p className="text-sm text-muted">{strings.attach.dropWhat}</p>
      </div>
    </div>
  );
}
