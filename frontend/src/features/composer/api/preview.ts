/** Asks what a submit would plan or refuse; nothing is kept. */
import { post } from '@/api/http';
import type { Preview } from '@/api/types';
import type { RequestBody } from '../model/request';

export function preview(body: RequestBody): Promise<Preview> {
  return post<Preview>('/api/jobs/preview', body);
}
