/** Prompt packs to choose from. They are read here and never changed. */
import { request } from '@/api/http';
import type { PackList } from '@/api/types';

export const listPacks = () => request<PackList>('/api/prompt-packs');
