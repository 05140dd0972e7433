/**
 * Sends one file with progress by the tus protocol, going on where an earlier attempt broke off.
 * The asset has the id of the upload. Must not retry: model/attaching does.
 */
import type * as Tus from 'tus-js-client';
import { isAway, OfflineError, parse, problemOf, ProblemError, request } from '@/api/http';
import { changeHeaders } from '@/api/session';
import type { AssetKind, AssetView } from '@/api/types';

const ENDPOINT = '/api/assets/resumable';
/** Of one request: proxies limit bodies, and what a cut connection can lose. */
const PIECE_BYTES = 16 * 1024 * 1024;
/** Another request holds the upload, or has moved it on: to be asked again. */
const BUSY = new Set([409, 423, 503]);

export interface Upload {
  done: Promise<AssetView>;
  abort: () => void;
}

/** The client comes in a file of its own, asked for once the page is at rest. */
export function fetchClient(): Promise<typeof Tus> {
  return import('tus-js-client').catch((cause: unknown) => {
    throw new OfflineError({ cause });
  });
}

const taken = new Set<string>();

export function upload(kind: AssetKind, file: File, onSent: (share: number) => void): Upload {
  let aborted = false;
  let running: Tus.Upload | null = null;
  const done = Promise.all([fetchClient(), changeHeaders()]).then(([client, headers]) => {
    if (aborted) throw new DOMException('aborted', 'AbortError');
    return new Promise<AssetView>((resolve, reject) => {
      const one = new client.Upload(file, {
        endpoint: ENDPOINT,
        headers,
        chunkSize: PIECE_BYTES,
        retryDelays: null,
        removeFingerprintOnSuccess: true,
        metadata: { filename: file.name || kind, filetype: file.type || kind, kind },
        onProgress: (sent, total) => onSent(total > 0 ? sent / total : 0),
        onError: (thrown) => {
          release(one);
          reject(errorOf(thrown));
        },
        onSuccess: () => {
          release(one);
          resolve(getAsset(one.url?.split('/').pop() ?? ''));
        },
        onUploadUrlAvailable: () => one.url && taken.add(one.url),
      });
      running = one;
      void start(one);
    });
  });
  return {
    done,
    abort: () => {
      aborted = true;
      if (!running) return;
      release(running);
      running.abort(true).catch(() => {
        // Without a connection the server is not told; it sweeps what nobody goes on with.
      });
    },
  };
}

/** From where an earlier attempt with the same file broke off, also before a reload. */
async function start(one: Tus.Upload): Promise<void> {
  const earlier = await one.findPreviousUploads();
  const free = earlier.find(({ uploadUrl }) => uploadUrl !== null && !taken.has(uploadUrl));
  if (free) one.resumeFromPreviousUpload(free);
  one.start();
}

function release(one: Tus.Upload): void {
  if (one.url) taken.delete(one.url);
}

function errorOf(thrown: Error | Tus.DetailedError): Error {
  const response = 'originalResponse' in thrown ? thrown.originalResponse : null;
  const status = response?.getStatus() ?? 0;
  if (!response || status === 0 || isAway(status) || BUSY.has(status)) {
    return new OfflineError({ cause: thrown });
  }
  return new ProblemError(problemOf(status, parse(response.getBody())));
}

export function getAsset(assetId: string, signal?: AbortSignal): Promise<AssetView> {
  return request<AssetView>(`/api/assets/${assetId}`, signal ? { signal } : {});
}
