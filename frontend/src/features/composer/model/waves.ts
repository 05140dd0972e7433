/** The loudness of a sound in a few steps, for drawing. Pure. */
export function peaksOf(samples: Float32Array, steps: number): number[] {
  const length = samples.length / steps;
  const peaks = Array.from({ length: steps }, (_, step) => {
    let peak = 0;
    const end = Math.min(samples.length, Math.ceil((step + 1) * length));
    for (let at = Math.floor(step * length); at < end; at++) {
      peak = Math.max(peak, Math.abs(samples[at] ?? 0));
    }
    return peak;
  });
  const loudest = Math.max(...peaks, 1e-6);
  return peaks.map((peak) => peak / loudest);
}
