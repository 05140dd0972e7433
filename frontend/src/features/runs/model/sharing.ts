/** Taking a video elsewhere: its file, and a link that shows it to people who are not signed in. */
import { shareJob } from '../api/jobs';
import type { Run } from './run';

export function downloadUrl(run: Pick<Run, 'videoUrl'>): string {
  return `${run.videoUrl ?? ''}?download=true`;
}

export function download(run: Run): void {
  const link = document.createElement('a');
  link.href = downloadUrl(run);
  link.download = '';
  link.click();
}

/** Makes a link to the page that shows the video until the link ends, and copies it. */
export async function copyLink(run: Run): Promise<void> {
  if (!run.jobId) return;
  const link = shareJob(run.jobId).then(
    ({ url }) =>
      new Blob([window.location.origin + url.replace(/^\/api/, '')], { type: 'text/plain' }),
  );
  // The promise goes in at once: some browsers let a page copy only right after the click.
  await navigator.clipboard.write([new ClipboardItem({ 'text/plain': link })]);
}
