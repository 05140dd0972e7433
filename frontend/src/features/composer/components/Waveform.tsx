/** Draws a sound's wave from the file itself while this page has it, else the server's picture. */
import { useEffect, useRef } from 'react';
import { strings } from '@/strings';
import { peaksOf } from '../model/waves';

const STEPS = 14;
const LARGEST_DECODED_BYTES = 24 * 1024 * 1024;

interface WaveformProps {
  file: File | undefined;
  thumbnail: string | null;
}

export function Waveform({ file, thumbnail }: WaveformProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (!file) return;
    loudness(file)
      .then((peaks) => canvas.current && draw(canvas.current, peaks))
      .catch(() => {
        // Not every browser decodes every sound; then the server's picture or nothing is shown.
      });
  }, [file]);
  if (!file && thumbnail) {
    return (
      <img src={thumbnail} alt={strings.attach.drawnSound} className="size-full object-cover" />
    );
  }
  return (
    <canvas
      ref={canvas}
      width={72}
      height={72}
      role="img"
      aria-label={strings.attach.drawnSound}
      className="size-full text-accent-text"
    />
  );
}

async function loudness(file: File): Promise<number[]> {
  if (file.size > LARGEST_DECODED_BYTES) return [];
  const context = new OfflineAudioContext(1, 1, 8000);
  const sound = await context.decodeAudioData(await file.arrayBuffer());
  return peaksOf(sound.getChannelData(0), STEPS);
}

function draw(canvas: HTMLCanvasElement, peaks: number[]): void {
  const pen = canvas.getContext('2d');
  if (!pen) return;
  const { width, height } = canvas;
  const step = width / peaks.length;
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = getComputedStyle(canvas).color;
  peaks.forEach((peak, at) => {
    const tall = Math.max(3, peak * height * 0.7);
    pen.beginPath();
    pen.roundRect(at * step + step * 0.2, (height - tall) / 2, step * 0.6, tall, 2);
    pen.fill();
  });
}
