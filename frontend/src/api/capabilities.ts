/** What can be made here: asked at the start and from time to time, shared by all features. */
import { create } from 'zustand';
import { request } from './http';
import type { Capabilities } from './types';

interface CapabilitiesState {
  capabilities: Capabilities | null;
  refresh: () => Promise<void>;
}

export const useCapabilities = create<CapabilitiesState>((set) => ({
  capabilities: null,
  refresh: async () => {
    set({ capabilities: await request<Capabilities>('/api/capabilities') });
  },
}));
