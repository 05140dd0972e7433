/** Requests about dead letters and webhook deliveries. */
import { post, request } from '@/api/http';
import type { DeadLetterDetail, DeadLetterPage, Deliveries } from '@/api/types';

const LETTERS = '/api/admin/dead-letters';
const DELIVERIES = '/api/admin/webhooks/deliveries';

export const listLetters = () => request<DeadLetterPage>(LETTERS);
export const getLetter = (sequence: number) => request<DeadLetterDetail>(`${LETTERS}/${sequence}`);
export const replayLetter = (sequence: number) => post(`${LETTERS}/${sequence}/replay`);
export const discardLetter = (sequence: number) => post(`${LETTERS}/${sequence}/discard`);
export const listDeliveries = () => request<Deliveries>(DELIVERIES);
export const redeliver = (deliveryId: string) => post(`${DELIVERIES}/${deliveryId}/redeliver`);
