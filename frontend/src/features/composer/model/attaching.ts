/**
 * Takes files in: decides kind and role, uploads, waits for the check, tries again when the
 * connection was lost. The one place with side effects on attachments.
 */
import { useCapabilities } from '@/api/capabilities';
import { OfflineError, ProblemError, sentenceOf } from '@/api/http';
import { randomKey } from '@/api/ids';
import type { AssetKind } from '@/api/types';
import { strings } from '@/strings';
import { bytes } from '@/ui/format';
import { fetchClient, getAsset, upload } from '../api/uploads';
import { added, type Attachment, fromAsset, newAttachment } from './attachment';
import type { KeptAttachment, UnfinishedAttachment } from './draft';
import { type AttachmentRole, guessRole, kindOfFile, kindOfRole, taskFor } from './roles';
import { useComposer } from './store';

const CHECK_EVERY_MS = 300;
const AGAIN_AFTER_MS = [1000, 2000, 4000, 8000];

const files = new Map<string, File>();
const running = new Map<string, AbortController>();

const store = useComposer.getState;

/** Fetches what uploads need while nothing else is going on, so that the first one starts at once. */
export function prepareUploads(): void {
  fetchClient().catch(() => {
    // The first upload asks again.
  });
}

export function attachFiles(list: Iterable<File>, wanted?: AttachmentRole): void {
  for (const file of list) attachFile(file, wanted);
}

function attachFile(file: File, wanted?: AttachmentRole): void {
  const kind = kindOfFile(file);
  const refusal = kind === null ? unknownKind(file) : tooLarge(file, kind);
  const { task, attachments } = store();
  const left = attachments.find((a) => goesOn(a, file.name, wanted ?? a.role));
  const taken = attachments.filter((a) => a !== left).map((a) => a.role);
  const guessed = left?.role ?? guessRole(kind ?? 'image', file.name, task, taken);
  const role = wanted && (kind === null || kindOfRole(wanted) === kind) ? wanted : guessed;
  const one = {
    ...newAttachment(randomKey(), role, kind ?? 'image', file.name),
    crop: left?.crop ?? null,
  };
  if (left) store().setAttachments((all) => all.filter((a) => a !== left));
  if (refusal) {
    store().setAttachments((all) => added(all, { ...one, state: 'refused', problem: refusal }));
    return;
  }
  files.set(one.key, file);
  store().setAttachments((all) => added(all, { ...one, localUrl: URL.createObjectURL(file) }));
  follow(role);
  dropForgotten();
  void send(one.key);
}

const goesOn = (left: Attachment, name: string, role: AttachmentRole) =>
  left.state === 'interrupted' && left.name === name && left.role === role;

/** A file that only another task uses changes the task, and says so. */
function follow(role: AttachmentRole): void {
  const task = taskFor(role, store().task);
  if (task === null) return;
  store().setTask(task);
  store().remarkOn(strings.attach.switched(strings.tasks[task].name));
}

function unknownKind(file: File) {
  return { sentence: strings.attach.unknownKind(file.name), remedy: strings.attach.kinds };
}

function tooLarge(file: File, kind: AssetKind) {
  const limit = useCapabilities.getState().capabilities?.uploads[`${kind}_bytes`];
  if (limit === undefined || file.size <= limit) return null;
  return {
    sentence: strings.attach.tooLarge(file.name, bytes(limit)),
    remedy: strings.attach.smaller,
  };
}

export async function send(key: string): Promise<void> {
  const file = files.get(key);
  const kind = store().attachments.find((a) => a.key === key)?.kind;
  if (!file || !kind) return;
  const stop = new AbortController();
  running.set(key, stop);
  try {
    for (let attempt = 0; ; attempt++) {
      store().change(key, { state: 'uploading', problem: null });
      const under = upload(kind, file, (sent) => store().change(key, { sent }));
      stop.signal.addEventListener('abort', under.abort);
      try {
        const asset = await under.done;
        store().change(key, fromAsset(asset));
        await checked(key, asset.asset_id, stop.signal);
        return;
      } catch (thrown) {
        if (!(thrown instanceof OfflineError)) throw thrown;
        store().change(key, { state: 'waiting' });
        await connection(AGAIN_AFTER_MS[attempt] ?? 15_000, stop.signal);
      }
    }
  } catch (thrown) {
    if (!stop.signal.aborted) refuse(key, thrown);
  } finally {
    running.delete(key);
  }
}

/** Waits for the check of an uploaded file, through lost connections. */
async function checked(key: string, assetId: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      const asset = await getAsset(assetId, signal);
      store().change(key, fromAsset(asset));
      if (asset.status !== 'checking') return;
    } catch (thrown) {
      if (!(thrown instanceof OfflineError)) throw thrown;
    }
    await connection(CHECK_EVERY_MS, signal);
  }
}

function refuse(key: string, thrown: unknown): void {
  store().change(key, { state: 'refused', problem: sentenceOf(thrown) });
}

/** Some time, or less when the browser says that it is online again. */
function connection(after_ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, after_ms);
    window.addEventListener('online', () => resolve(), { once: true, signal });
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new DOMException('aborted', 'AbortError'));
    });
  });
}

/** The file itself, while this page has it. */
export function fileOf(key: string): File | undefined {
  return files.get(key);
}

export function canSendAgain(key: string): boolean {
  return files.has(key) && !running.has(key);
}

export function detach(key: string): void {
  store().setAttachments((all) => all.filter((a) => a.key !== key));
  dropForgotten();
}

/** Ends uploads and frees files that no attachment names any more. */
function dropForgotten(): void {
  const live = new Set(store().attachments.map((a) => a.key));
  for (const [key, stop] of running) if (!live.has(key)) stop.abort();
  for (const key of files.keys()) if (!live.has(key)) files.delete(key);
}

/**
 * Attaches files that already lie on the server, in place of those that need not stay. Returns
 * false when one of them is gone.
 */
export async function attachKept(
  kept: readonly KeptAttachment[],
  stays: (attachment: Attachment) => boolean = () => false,
): Promise<boolean> {
  const list: Attachment[] = kept.map((one) => ({
    ...newAttachment(randomKey(), one.role, 'image', ''),
    state: 'checking',
    assetId: one.assetId,
    crop: one.crop,
  }));
  store().setAttachments((all) => [...all.filter(stays), ...list]);
  dropForgotten();
  const found = await Promise.all(list.map(restore));
  return found.every(Boolean);
}

/** Shows what was being uploaded when the page was left. The file itself is gone with the page. */
export function recall(list: readonly UnfinishedAttachment[]): void {
  const left: Attachment[] = list.map(({ role, name, crop }) => ({
    ...newAttachment(randomKey(), role, kindOfRole(role), name),
    state: 'interrupted',
    problem: { sentence: strings.attach.cutShort(name), remedy: strings.attach.chooseAgain },
    crop,
  }));
  store().setAttachments((all) => [...all, ...left]);
}

async function restore(one: Attachment): Promise<boolean> {
  const stop = new AbortController();
  running.set(one.key, stop);
  try {
    for (;;) {
      try {
        const asset = await getAsset(one.assetId ?? '', stop.signal);
        const facts = { kind: asset.asset_type, name: asset.original_filename };
        store().change(one.key, { ...facts, ...fromAsset(asset) });
        if (asset.status !== 'checking') return true;
      } catch (thrown) {
        if (thrown instanceof ProblemError) {
          store().setAttachments((all) => all.filter((a) => a.key !== one.key));
          return false;
        }
        if (!(thrown instanceof OfflineError)) throw thrown;
      }
      await connection(1000, stop.signal);
    }
  } catch (thrown) {
    if (stop.signal.aborted) return true;
    throw thrown;
  } finally {
    running.delete(one.key);
  }
}
