/** What the rest of the studio may use of the composer. */
export { Composer } from './components/Composer';
export { DropZone } from './components/DropZone';
export { attachFiles, attachKept, prepareUploads } from './model/attaching';
export type { KeptAttachment } from './model/draft';
export { forgetDraft, keepDraft, restoreDraft } from './model/keeping';
export { againOf, type RequestBody, requestOfKept, variantOf } from './model/request';
export type { AttachmentRole } from './model/roles';
export { useComposer } from './model/store';
