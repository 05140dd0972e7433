/** Characters and style presets that are kept on the server. */
import { post, put, request } from '@/api/http';
import type { CharacterDraft, CharacterList, CharacterView, PresetList } from '@/api/types';
import type { PresetDraft, PresetView } from '@/api/types';

export const listCharacters = () => request<CharacterList>('/api/characters');

/** A name that is known gets a new version; any other is a new character. */
export function saveCharacter(draft: CharacterDraft, known: readonly CharacterView[]) {
  const same = known.find((one) => one.name === draft.name.trim());
  if (same) return put<CharacterView>(`/api/characters/${same.character_id}`, draft);
  return post<CharacterView>('/api/characters', draft);
}

export const deleteCharacter = (characterId: string) =>
  request<undefined>(`/api/characters/${characterId}`, { method: 'DELETE' });

export const listPresets = () => request<PresetList>('/api/presets');

export function savePreset(draft: PresetDraft, known: readonly PresetView[]) {
  const same = known.find((one) => one.own && one.name === draft.name.trim());
  if (same) return put<PresetView>(`/api/presets/${same.preset_id}`, draft);
  return post<PresetView>('/api/presets', draft);
}

export const deletePreset = (presetId: string) =>
  request<undefined>(`/api/presets/${presetId}`, { method: 'DELETE' });
