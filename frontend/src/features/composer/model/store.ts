/** The composer's state: the draft and what is attached, kept across reloads. */
import { create } from 'zustand';
import type { Task } from '@/model/tasks';
import { type Attachment, carried, changed, reassigned } from './attachment';
import { type Draft, EMPTY_DRAFT, type Settings } from './draft';
import type { AttachmentRole } from './roles';
import type { Need } from './validation';

export interface ComposerState extends Draft {
  attachments: Attachment[];
  /** What the last submit was refused for; gone with the next change. */
  refusals: Need[];
  /** A remark on something that the studio did by itself. */
  remark: string | null;
  setTask: (task: Task) => void;
  setPrompt: (prompt: string) => void;
  set: (settings: Partial<Settings>) => void;
  load: (draft: Draft) => void;
  setAttachments: (change: (list: Attachment[]) => Attachment[]) => void;
  change: (key: string, change: Partial<Attachment>) => void;
  reassign: (key: string, role: AttachmentRole) => void;
  refuse: (refusals: Need[]) => void;
  remarkOn: (remark: string | null) => void;
}

const settled = { refusals: [], remark: null };

export const useComposer = create<ComposerState>((set) => ({
  task: EMPTY_DRAFT.task,
  prompt: EMPTY_DRAFT.prompt,
  settings: EMPTY_DRAFT.settings,
  attachments: [],
  refusals: [],
  remark: null,
  setTask: (task) => set((s) => ({ task, attachments: carried(s.attachments, task), ...settled })),
  setPrompt: (prompt) => set({ prompt, ...settled }),
  set: (settings) => set((s) => ({ settings: { ...s.settings, ...settings }, ...settled })),
  load: ({ task, prompt, settings }) => set({ task, prompt, settings, ...settled }),
  setAttachments: (change) => set((s) => ({ attachments: change(s.attachments), refusals: [] })),
  change: (key, change) => set((s) => ({ attachments: changed(s.attachments, key, change) })),
  reassign: (key, role) =>
    set((s) => ({ attachments: reassigned(s.attachments, key, role), refusals: [] })),
  refuse: (refusals) => set({ refusals }),
  remarkOn: (remark) => set({ remark }),
}));
