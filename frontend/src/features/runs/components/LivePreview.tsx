/** The latest picture of unfinished work. The last one stays until the next is there. */
import { useState } from 'react';
import { strings } from '@/strings';

export function LivePreview({ url }: { url: string | null }) {
  const [shown, setShown] = useState<string | null>(null);
  const layers = [...new Set([shown, url])].filter((layer) => layer !== null);
  return layers.map((layer) => (
    <img
      // the same element from its loading on: a picture that may not be kept is fetched once
      key={layer}
      src={layer}
      alt={layer === shown ? strings.runs.livePreview : ''}
      decoding="async"
      onLoad={() => setShown(layer)}
      className={`absolute inset-0 size-full object-cover ${layer === shown ? '' : 'opacity-0'}`}
    />
  ));
}
