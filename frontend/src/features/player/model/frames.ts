/** Takes single pictures out of videos. Files come from this server, so the canvas may be read. */

/** The frame of a video at a time, as a PNG file. Rejects when the browser cannot decode it. */
export async function frameAt(url: string, at: 'last' | number, name: string): Promise<File> {
  const video = document.createElement('video');
  video.muted = true;
  video.preload = 'auto';
  video.src = url;
  await happened(video, 'loadeddata');
  // A little before the end: seeking to the very end shows nothing in some browsers.
  const wanted_s = at === 'last' ? Math.max(0, video.duration - 0.04) : at;
  if (Math.abs(video.currentTime - wanted_s) > 1e-3) {
    video.currentTime = wanted_s;
    await happened(video, 'seeked');
  }
  return drawn(video, name);
}

/** What a video shows at the moment, as a PNG file. */
export async function drawn(video: HTMLVideoElement, name: string): Promise<File> {
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d')?.drawImage(video, 0, 0);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('the canvas gave no picture');
  return new File([blob], name, { type: 'image/png' });
}

function happened(video: HTMLVideoElement, name: 'loadeddata' | 'seeked'): Promise<void> {
  return new Promise((resolve, reject) => {
    video.addEventListener(name, () => resolve(), { once: true });
    video.addEventListener('error', () => reject(new Error('the video cannot be decoded')), {
      once: true,
    });
  });
}
