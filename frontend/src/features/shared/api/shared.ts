/** What a link shows: the gateway answers without credentials. */
import { request } from '@/api/http';
import type { SharedView } from '@/api/types';

export const getShared = (token: string) => request<SharedView>(`/api/shared/${token}`);
